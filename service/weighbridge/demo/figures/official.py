"""The official images that the demo registry holds, with their tags."""

from typing import Final

from weighbridge.demo.content.recipe import Push
from weighbridge.demo.figures.alpine import ALPINE_3_6, ALPINE_3_17, ALPINE_3_24
from weighbridge.demo.figures.classics import (
    DEBIAN_JESSIE,
    DEBIAN_STRETCH,
    GOLANG_1_9,
    GOLANG_1_9_ALPINE,
    NGINX_1_13,
    NGINX_1_13_ALPINE,
    NODE_8,
    NODE_8_ALPINE,
    NODE_8_SLIM,
)
from weighbridge.demo.figures.debian import (
    BUILDPACK_BULLSEYE,
    BUILDPACK_DEPS_TRIXIE,
    DEBIAN_BULLSEYE,
    DEBIAN_TRIXIE_SLIM,
)
from weighbridge.demo.figures.python import (
    PYTHON_3_7,
    PYTHON_3_7_ALPINE,
    PYTHON_3_7_SLIM,
    PYTHON_3_13_TRIXIE,
    PYTHON_3_ALPINE,
    PYTHON_3_SLIM,
    PYTHON_3_TRIXIE,
)

OFFICIAL: Final[tuple[Push, ...]] = (
    Push("library/alpine", ("3.24", "latest"), ALPINE_3_24),
    Push("library/alpine", ("3.17",), ALPINE_3_17),
    Push("library/alpine", ("3.6",), ALPINE_3_6),
    Push("library/buildpack-deps", ("trixie", "latest"), BUILDPACK_DEPS_TRIXIE),
    Push("library/buildpack-deps", ("bullseye",), BUILDPACK_BULLSEYE),
    Push("library/debian", ("trixie-slim",), DEBIAN_TRIXIE_SLIM),
    Push("library/debian", ("bullseye",), DEBIAN_BULLSEYE),
    Push("library/debian", ("stretch",), DEBIAN_STRETCH),
    Push("library/debian", ("jessie",), DEBIAN_JESSIE),
    Push("library/golang", ("1.9", "1.9.3", "latest"), GOLANG_1_9),
    Push("library/golang", ("1.9-alpine",), GOLANG_1_9_ALPINE),
    Push("library/nginx", ("1.13", "latest"), NGINX_1_13),
    Push("library/nginx", ("1.13-alpine", "alpine"), NGINX_1_13_ALPINE),
    Push("library/node", ("8", "8.9.4", "latest"), NODE_8),
    Push("library/node", ("8-slim", "slim"), NODE_8_SLIM),
    Push("library/node", ("8-alpine", "alpine"), NODE_8_ALPINE),
    Push("library/python", ("3-trixie", "3", "3.14", "latest"), PYTHON_3_TRIXIE),
    Push("library/python", ("3-slim-trixie", "3-slim", "slim"), PYTHON_3_SLIM),
    Push("library/python", ("3-alpine3.24", "3-alpine", "alpine"), PYTHON_3_ALPINE),
    Push("library/python", ("3.13-trixie", "3.13"), PYTHON_3_13_TRIXIE),
    Push("library/python", ("3.7", "3.7.16"), PYTHON_3_7),
    Push("library/python", ("3.7-slim",), PYTHON_3_7_SLIM),
    Push("library/python", ("3.7-alpine",), PYTHON_3_7_ALPINE),
)
