"""The rows of an image's table: its lines, told in short where there is no room, and
layers that no line names.
"""

import re
from typing import Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain.image.digest import short
from weighbridge.domain.image.image_config import LINE_UNKNOWN, keyword
from weighbridge.domain.size.confidence import Uncompressed
from weighbridge.domain.size.weighing import WeighedImage, WeighedLine
from weighbridge.presentation.forms.screen import Screen
from weighbridge.presentation.rows.report_rows import line_number, stand_in

Mark: TypeAlias = Literal["own", "heaviest", "none", "unknown"]
"""`none`: it made no layer; `unknown`: nobody knows whether it made one."""


class LineTableRow(Struct, frozen=True):
    """One row; sizes as in `WeighedLine`, with the layer's confidence.

    number: as everywhere (`report_rows.line_number`), None where there is none
    """

    mark: Mark
    number: int | None
    compressed_bytes: int | None
    uncompressed: Uncompressed | None
    text: str


_NOTHING: Final = Uncompressed("exact", 0, 0, 0)
_MAKERS: Final = frozenset({"ADD", "COPY", "RUN"})


def line_rows(image: WeighedImage, *, wants_all: bool = False) -> list[LineTableRow]:
    """The rows in Dockerfile order, the heaviest one marked.

    Lines that made no layer are folded into one last row, unless all are wanted.
    Where it is not known which line made which layer, lines and layers are rows of
    their own.
    """
    rows: list[LineTableRow] = []
    folded: list[WeighedLine] = []
    named: set[int] = set()
    for line in image.lines:
        if line.layer is not None:
            named.add(line.layer)
            rows.append(_layer_row(image, line.layer, line))
        elif image.history_alignment == "unresolved":
            rows.append(LineTableRow("unknown", None, None, None, line.instruction))
        elif wants_all:
            rows.append(_metadata_row(line.instruction))
        else:
            folded.append(line)
    rows += [
        _layer_row(image, index)
        for index in range(len(image.layers))
        if index not in named
    ]
    rows = _with_heaviest(rows)
    if folded:
        rows.append(_metadata_row(_folded_text(folded)))
    return rows


def lines_known(image: WeighedImage) -> int:
    """How many lines the history has, those without a layer included."""
    return sum(not stand_in(line.instruction) for line in image.lines)


def find_heaviest(rows: list[LineTableRow]) -> LineTableRow | None:
    """The marked row."""
    return next((row for row in rows if row.mark == "heaviest"), None)


def _layer_row(
    image: WeighedImage, index: int, line: WeighedLine | None = None
) -> LineTableRow:
    layer = image.layers[index]
    text = LINE_UNKNOWN if line is None else line.instruction
    if stand_in(text) == "unknown":
        text = f"{text} layer {index + 1}, {short(layer.digest)}"
    number = None if line is None else line_number(line)
    return LineTableRow("own", number, layer.compressed_bytes, layer.uncompressed, text)


def _metadata_row(text: str) -> LineTableRow:
    return LineTableRow("none", None, 0, _NOTHING, text)


def _with_heaviest(rows: list[LineTableRow]) -> list[LineTableRow]:
    weights = [row.compressed_bytes or 0 for row in rows]
    if not any(weights):
        return rows
    heaviest = weights.index(max(weights))
    marked = replace(rows[heaviest], mark="heaviest")
    return [*rows[:heaviest], marked, *rows[heaviest + 1 :]]


def _folded_text(lines: list[WeighedLine]) -> str:
    keywords = sorted({keyword(line.instruction) or "others" for line in lines})
    is_metadata = _MAKERS.isdisjoint(
        keywords
    )  # which those of a squashed image are not
    one = "metadata line" if is_metadata else "line without a layer"
    several = "metadata lines" if is_metadata else "lines without a layer"
    count = len(lines)
    if count == 1:
        return f"{keywords[0]} (1 {one}, --all shows it)"
    return f"{', '.join(keywords)} ({count} {several}, --all shows them)"


_SEPARATORS: Final = re.compile(r"\s*(?:&&|\|\||;)\s*")
_CONNECTIVE: Final = re.compile(r"(?:then|do|else|if|fi|done|!)\s+")
_HOUSEKEEPING: Final = re.compile(
    r"set\b|export\b|fi\b|done\b|true\b|:|command\b|test\b|\[|cd\b"
    r"|rm\b|mkdir\b|apt-mark\b|dpkg-query\b|[A-Za-z_]\w*=(?:\"[^\"]*\"|\S*)$"
    r"|apt(?:-get)?\s+(?:update|clean|autoremove|purge)\b|apk\s+(?:update|del)\b"
    r"|(?:dnf|yum|microdnf)\s+clean\b",
    re.ASCII,
)
_HASHED: Final = re.compile(r"\b(file|dir|multi):([0-9a-f]{12})[0-9a-f]+", re.ASCII)


def short_instruction(text: str, ellipsis: str = "…") -> str:
    """`RUN apt-get install … git procps`: for a row that has not room for all of it.

    Housekeeping and options go; the words that stay keep their order.
    """
    if not text.startswith("RUN "):
        return _HASHED.sub(rf"\1:\2{ellipsis}", text)
    commands = [
        _without_options(command, ellipsis)
        for part in _SEPARATORS.split(text.removeprefix("RUN "))
        if (command := _bare(part)) and not _HOUSEKEEPING.match(command)
    ]
    return f"RUN {'; '.join(commands)}" if commands else text


def fitted(text: str, used: int, screen: Screen) -> str:
    """The whole line where there is room for it behind `used` columns, else the short
    form."""
    if screen.cut(text, used) == text:
        return text
    return screen.cut(short_instruction(text, screen.ellipsis), used)


def _bare(command: str) -> str:
    """The command without the shell's words before it."""
    command = command.strip()
    while (found := _CONNECTIVE.match(command)) is not None:
        command = command[found.end() :]
    return command


def _without_options(command: str, ellipsis: str) -> str:
    kept: list[str] = []
    for word in command.split():
        if not word.startswith("-"):
            kept.append(word)
        elif kept and kept[-1] != ellipsis:
            kept.append(ellipsis)
    return " ".join(kept)
