"""The lines of an image's history: each as one Dockerfile instruction, whoever built
the image, and which of them made which layer, and how sure that is.

A config lists steps, a manifest lists layers, and nothing but order joins the two.
A size beside the wrong line is worse than no size, so where counting does not settle
it and what the lines say does not either, no line is given a layer.
"""

import hashlib
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, TypeVar

from weighbridge.domain import limits
from weighbridge.domain.image.document import HistoryAlignment, HistoryEntry, Line
from weighbridge.domain.text.masking import BUILD_ARGUMENTS, SHELL, mask
from weighbridge.domain.text.printable import printable

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


NOT_IN_HISTORY: Final = "(not in the history)"
"""The line of a layer of an image that has no history."""

LINE_UNKNOWN: Final = "(line unknown)"
"""The line of a layer where history and layers do not fit together."""

SQUASHED: Final = "(squashed: one layer of several lines above)"
"""The line of a layer that several instructions share."""

_COPIES: Final = frozenset({"ADD", "COPY"})
_WORKS: Final = _COPIES | {"RUN"}


def align(
    history: Sequence[HistoryEntry], layers: int, os: str = "linux"
) -> tuple[tuple[Line, ...], HistoryAlignment]:
    """The lines of an image with `layers` layers, and how sure their layers are.

    `exact`: as many entries as layers are not marked empty, and each can make one.
    `inferred`: what the entries say leaves exactly that many; or several of them
        were committed as one layer, which then has a line of its own.
    `unresolved`: neither; a line for each entry names no layer, and a line for each
    layer names no instruction, so that every byte is still seen.
    """
    texts = [instruction(entry.created_by, entry.comment) for entry in history]
    words = [keyword(text) for text in texts]
    makers, shared, alignment = _makers(history, words, layers, os)
    layer_of = {line: layer for layer, line in enumerate(makers)}
    lines: list[Line] = []
    for number, (text, entry) in enumerate(zip(texts, history, strict=True)):
        layer = layer_of.get(number)
        if number in shared:
            lines.append(Line(text, entry.created_at, None))
            lines.append(Line(SQUASHED, entry.created_at, layer))
        else:
            lines.append(Line(text, entry.created_at, layer))
    if alignment == "unresolved":
        unexplained = LINE_UNKNOWN if history else NOT_IN_HISTORY
        lines += [Line(unexplained, None, layer) for layer in range(layers)]
    return tuple(lines), alignment


_Makers = tuple[list[int], frozenset[int], HistoryAlignment]


def _makers(
    history: Sequence[HistoryEntry], words: Sequence[str], layers: int, os: str
) -> _Makers:
    """The numbers of the entries that made the layers, in order; which of them share
    theirs with lines before them; and how sure that is."""
    not_empty = [n for n, entry in enumerate(history) if entry.empty_layer is not True]
    able = [n for n in not_empty if words[n] not in METADATA]
    if len(not_empty) == layers:
        shared = _shared(history, words, not_empty)
        # On Windows the classic builder commits a layer for every line.
        if os == "windows" or all(n in shared for n in set(not_empty) - set(able)):
            return not_empty, shared, "inferred" if shared else "exact"
    if len(able) == layers:
        return able, _shared(history, words, able), "inferred"
    if all(entry.empty_layer is None for entry in history):
        # `empty_layer` was not served. WORKDIR makes a layer only where it had to
        # make the directory, and the classic builder did not always do that.
        able = [n for n in able if words[n] != "WORKDIR"]
        if len(able) == layers:
            return able, _shared(history, words, able), "inferred"
    return [], frozenset(), "unresolved"


def _shared(
    history: Sequence[HistoryEntry], words: Sequence[str], makers: Sequence[int]
) -> frozenset[int]:
    """The makers whose layer holds the work of lines before them as well.

    buildah without `--layers` and `docker build --squash` commit several lines as
    one layer: all of them are marked empty but the last, be that a RUN or a CMD. A
    file that was copied is somewhere, so a COPY that is marked empty gives it away;
    a RUN may really have changed nothing, and does so only where the last line is
    one that makes no layer by itself.
    """
    shared = set()
    for before, maker in pairwise([-1, *makers]):
        gives_away = _WORKS if words[maker] in METADATA else _COPIES
        if history[maker].comment.startswith("merge sha256:"):
            continue  # docker's own line for a squashed layer
        for n in range(before + 1, maker):
            if words[n] in gives_away and history[n].empty_layer is True:
                shared.add(maker)
    return frozenset(shared)
