"""The rows of an image's table: its lines, and layers that no line names."""

from typing import Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain.image.digest import short
from weighbridge.domain.image.history import LINE_UNKNOWN, keyword
from weighbridge.domain.size.confidence import Uncompressed
from weighbridge.domain.size.weighing import WeighedImage, WeighedLine
from weighbridge.presentation.rows.report_rows import line_number
from weighbridge.presentation.rows.stand_ins import stand_in

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
