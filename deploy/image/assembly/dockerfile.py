"""What the last stage of our Dockerfile says of the image: user, command, labels."""

import json
import re
import shlex
from typing import Final

_CONTINUED: Final = re.compile(r"\\\n")


def image_settings(dockerfile: str) -> dict[str, object]:
    """Those of the last stage, as the `config` of an OCI image has them
    (image-spec, config.md)."""
    found: dict[str, list[str]] = {}
    for name, rest in _instructions(dockerfile):
        if name == "FROM":
            found = {}
        found.setdefault(name, []).append(rest)
    labels = (word.split("=", 1) for word in _words(found["LABEL"]))
    return {
        "User": found["USER"][-1],
        "ExposedPorts": {f"{port}/tcp": {} for port in found["EXPOSE"]},
        "Env": _words(found["ENV"]),
        "Entrypoint": json.loads(found["ENTRYPOINT"][-1]),
        "Cmd": json.loads(found["CMD"][-1]),
        "Volumes": {path: {} for path in json.loads(found["VOLUME"][-1])},
        "WorkingDir": found["WORKDIR"][-1],
        "Labels": {key: value for key, value in labels},
        "StopSignal": found["STOPSIGNAL"][-1],
    }


def _words(lines: list[str]) -> list[str]:
    return [word for line in lines for word in shlex.split(line)]


def _instructions(dockerfile: str) -> list[tuple[str, str]]:
    lines = [text for text in dockerfile.splitlines() if not text.startswith("#")]
    joined = _CONTINUED.sub(" ", "\n".join(lines))
    words = (line.split(maxsplit=1) for line in joined.splitlines() if line.strip())
    return [(name, rest) for name, rest in words]
