"""A history entry's text as one Dockerfile instruction, whoever built the image."""

import hashlib
import re
from typing import Final, TypeVar

from weighbridge.domain import limits
from weighbridge.domain.text.masking import mask
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.shell import BUILD_ARGUMENTS, SHELL

METADATA: Final = frozenset(
    {
        "ARG",
        "CMD",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "HEALTHCHECK",
        "LABEL",
        "MAINTAINER",
        "ONBUILD",
        "SHELL",
        "STOPSIGNAL",
        "USER",
        "VOLUME",
    }
)
"""Instructions that change the config only: on Linux they never make a layer."""

KEYWORDS: Final = METADATA | {"ADD", "COPY", "FROM", "RUN", "WORKDIR"}

NO_TEXT: Final = "(no instruction)"

_NO_OPERATION: Final = "#(nop)"
_BUILDKIT: Final = " # buildkit"
_ARGUMENT: Final = re.compile(r"[A-Za-z_][\w.-]*=\*\*\*(?:\s+|\Z)", re.ASCII)

_Key = TypeVar("_Key", str, bytes)

# The longest character of UTF-8 has four bytes, so this needs no measuring.
_SHORT_CHARACTERS: Final = limits.INSTRUCTION_CHARACTERS // 4

# Images of one registry share most of their lines (57,000 of them in the official
# images of 2018 are 3,300 texts).
_KEPT_TEXTS: Final = 2_048
_LONGEST_KEPT: Final = 4_096
_kept: Final[dict[str, str]] = {}
"""Texts in which nothing was to be masked, and what is shown of them."""
_kept_masked: Final[dict[bytes, str]] = {}
"""By digest, as what has not been masked yet must not stay in memory."""


def instruction(created_by: str, comment: str = "") -> str:
    """The instruction that a history entry records: `RUN make install`.

    Shells, `#(nop)`, `# buildkit` and build arguments are stripped; a bare shell
    command becomes RUN; dialects that we do not know stay as they are. Without
    `created_by` the comment speaks (a squashed image says so there).

    The result is one printable line with secrets masked, at most 8 KiB of UTF-8,
    with a marker where it was cut.
    """
    text = created_by if created_by.strip() else comment
    shown = _kept.get(text)
    return _read(text) if shown is None else shown


def _read(text: str) -> str:
    key = hashlib.sha256(text.encode(errors="surrogatepass")).digest()
    shown = _kept_masked.get(key)
    if shown is not None:
        return shown
    line = " ".join(text.split())
    masked = mask(line)
    shown = _cut(_dockerfile_form(masked)) or NO_TEXT
    if masked == line and len(text) <= _LONGEST_KEPT:
        _keep(_kept, text, shown)
    else:
        _keep(_kept_masked, key, shown)
    return shown


def _keep(kept: dict[_Key, str], key: _Key, shown: str) -> None:
    if len(kept) >= _KEPT_TEXTS:
        kept.clear()
    kept[key] = shown


def keyword(text: str) -> str:
    """The Dockerfile keyword that a result of `instruction` starts with, or ""."""
    first = text.partition(" ")[0]
    return first if first in KEYWORDS else ""


def _dockerfile_form(text: str) -> str:
    text = text.removesuffix(_BUILDKIT)
    if keyword(text) not in ("", "RUN"):
        return text
    arguments = BUILD_ARGUMENTS.match(text)
    if arguments is not None:
        command = _without_arguments(text, arguments.end(), int(arguments[1]))
    else:
        command = text.removeprefix("RUN ")
    shell = SHELL.match(command)
    if shell is not None:
        command = command[shell.end() :]
    if command.startswith(_NO_OPERATION):
        return command.removeprefix(_NO_OPERATION).strip()
    if shell is None and arguments is None and not text.startswith("RUN "):
        return text
    # `/bin/sh -c ENV A=b` without `#(nop)` ran a program, however it is called.
    return f"RUN {command}".rstrip()


def _without_arguments(text: str, start: int, count: int) -> str:
    for _ in range(count):
        found = _ARGUMENT.match(text, start)
        if found is None:
            break
        start = found.end()
    return text[start:]


def _cut(text: str) -> str:
    if len(text) <= _SHORT_CHARACTERS and text.isprintable():
        return text
    # Writing characters out only makes a text longer: what is far behind the cut
    # can be left alone.
    shown = printable(text[: limits.INSTRUCTION_CHARACTERS + 1])
    encoded = shown.encode()
    if len(encoded) <= limits.INSTRUCTION_CHARACTERS:
        return shown
    marker = f"… (cut, {len(text)} characters)"
    room = limits.INSTRUCTION_CHARACTERS - len(marker.encode())
    return encoded[:room].decode(errors="ignore") + marker
