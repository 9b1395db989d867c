"""Files that an image holds twice, and directories that were copied as a whole."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from weighbridge.domain.advice.own_lines import WORTH_BYTES, Advice, OwnLine
from weighbridge.domain.advice.shell import Command

LARGE_COPY_BYTES: Final = 50_000_000
"""From here on a copied directory is worth a look."""

_CHANGES: Final = frozenset(["chgrp", "chmod", "chown", "mv"])
"""What changes nothing in a file and stores it anew all the same."""
_SMALL: Final = _CHANGES | frozenset(
    [
        ":",
        "[",
        "addgroup",
        "adduser",
        "cd",
        "echo",
        "exit",
        "export",
        "groupadd",
        "id",
        "install_dir",
        "ln",
        "mkdir",
        "rm",
        "rmdir",
        "set",
        "test",
        "touch",
        "true",
        "umask",
        "useradd",
        "usermod",
    ]
)
"""What writes nothing of a size that matters."""
_BRINGS: Final = re.compile(
    r"(?<![\w./-])(?:apk|apt|apt-get|bundle|cargo|cat|composer|conda|cp|curl|dd|dnf|gem"
    r"|git|go|gzip|java|make|mvn|node|npm|npx|pip[0-9.]*|poetry|python[0-9.]*|rsync"
    r"|sed|tar|tee|unzip|uv|wget|yarn|yum)(?![\w./-])"
)
"""Programs that write new files, wherever a lost line break may have put them."""
_PATH: Final = re.compile(r"[\"']?(?:[./~*$]|\S+/)\S*", re.ASCII)


def written_twice(lines: Sequence[OwnLine]) -> Iterator[Advice]:
    """Lines that only change owner, mode or place of files: each of these is stored
    a second time, whole."""
    for place, line in enumerate(lines):
        if not line.is_whole or line.layer is None:
            continue
        if line.compressed_bytes < WORTH_BYTES or not _only_changes(line):
            continue
        yield _again(line, _written_by(line, lines[:place]))


def _only_changes(line: OwnLine) -> bool:
    changes = [command for command in line.commands if command.name in _CHANGES]
    return (
        bool(changes)
        and all(command.name in _SMALL for command in line.commands)
        and all(map(_names_paths, changes))
        and ">" not in line.text
        and not _BRINGS.search(line.text)
    )


def _names_paths(command: Command) -> bool:
    """Whether all that it is given are paths: a word that is none may belong to a
    command behind it, whose line break is lost."""
    operands = command.operands if command.name == "mv" else command.operands[1:]
    return bool(operands) and all(map(_PATH.fullmatch, operands))


def _written_by(line: OwnLine, before: Sequence[OwnLine]) -> OwnLine | None:
    """The line whose layer has about as many bytes: one in fifty more or less."""
    near = [
        other
        for other in before
        if other.layer is not None
        and abs(other.compressed_bytes - line.compressed_bytes) * 50
        <= line.compressed_bytes
    ]
    return near[-1] if near else None


def _again(line: OwnLine, first: OwnLine | None) -> Advice:
    of = "of files that are there already" if first is None else f"of {_lower(first)}"
    remedy = "do it in the line that writes them"
    if first is not None and first.keyword in ("ADD", "COPY"):
        remedy = "use --chown or --chmod of that line"
    text = (
        f"{line.name} only changes owner, mode or place {of}, which stores them a "
        f"second time: {remedy}."
    )
    basis = "measured: the layer holds nothing but files that were written before"
    # Owner and mode are changed of files that the image has; what is moved may come
    # from a mount.
    is_estimate = first is None and any(each.name == "mv" for each in line.commands)
    if is_estimate:
        basis = (
            "the layer, if what is moved was written before: from a cache mount, which "
            "no history shows, it comes new"
        )
    return Advice(
        "written_twice",
        text,
        line.compressed_bytes,
        is_estimate,
        basis,
        (line.evidence, *([] if first is None else [first.evidence])),
    )


def _lower(line: OwnLine) -> str:
    return f"what {line.name[0].lower()}{line.name[1:]} wrote"


_CONTEXT: Final = re.compile(
    r"(?:COPY|ADD)\s+(?:--\S+\s+)*(?:\./?\s+\S|\[\"\./?\"|dir:[0-9a-f]{64} in )"
)


def large_copies(lines: Sequence[OwnLine]) -> Iterator[Advice]:
    """`COPY . /app` of much: a whole directory of the build context."""
    for line in lines:
        if line.layer is None or line.compressed_bytes < LARGE_COPY_BYTES:
            continue
        if not _CONTEXT.match(line.text):
            continue
        text = (
            f"{line.name} copies a whole directory: a .dockerignore keeps out what is "
            "not needed when it runs (.git, node_modules, tests, data)."
        )
        basis = "what of the layer is needed is not known"
        yield Advice("large_copy", text, None, False, basis, (line.evidence,))
