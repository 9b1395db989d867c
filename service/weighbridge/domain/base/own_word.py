"""What an image says of its own base, where nothing else is known: the word of whoever
pushed it."""

import re
from typing import Final

from weighbridge.domain.base.names import annotated_text, written
from weighbridge.domain.image.document import Image
from weighbridge.domain.image.image_base import BaseInWords
from weighbridge.domain.image.reference import DOCKER_HUB

# How the official images of distributions write their first layer: Alpine since 3.17,
# Debian since 2024, Ubuntu by two labels before it.
_ALPINE: Final = re.compile(r"ADD alpine-minirootfs-(\d{1,4}\.\d{1,4})\.[0-9_rc]{1,9}-")
_DEBIAN: Final = re.compile(
    r"# debian\.sh --arch '[a-z0-9]{1,20}' out/ '([a-z]{1,30})' '@\d{1,20}'"
)
_UBUNTU: Final = "LABEL org.opencontainers.image.ref.name=ubuntu"
_VERSION: Final = re.compile(r"LABEL org\.opencontainers\.image\.version=(\d\d\.\d\d)")
_FIRST: Final = 16


def base_by_itself(image: Image) -> BaseInWords | None:
    """What its annotations name, else what the text of its first layer does."""
    said = image.manifest.base
    if said is not None and said.name is not None:
        reference = annotated_text(said.name)
        return BaseInWords(reference, (), None, "base", "annotation")
    return base_by_root(image)


def base_by_root(image: Image) -> BaseInWords | None:
    """The distribution whose root file system is its first layer, by that layer's line:
    a relative, as the line says nothing of the images that lie between. None for an
    image that is nothing else."""
    if len(image.layers) < 2:
        return None
    texts: list[str] = []
    for line in image.lines[:_FIRST]:
        texts.append(line.instruction)
        if line.layer is not None:
            break
    else:
        return None
    name = _distribution(texts)
    if name is None:
        return None
    reference = written(DOCKER_HUB, f"library/{name[0]}", name[1])
    return BaseInWords(reference, (), 1, "relative", "history")


def _distribution(texts: list[str]) -> tuple[str, str] | None:
    """Repository and tag."""
    if found := _ALPINE.search(texts[-1]):
        return "alpine", found[1]
    if found := _DEBIAN.search(texts[-1]):
        return "debian", found[1]
    if _UBUNTU in texts:
        versions = [found[1] for text in texts if (found := _VERSION.match(text))]
        return ("ubuntu", versions[0]) if versions else None
    return None
