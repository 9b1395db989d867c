"""The rows of an image's table: its lines, and layers that no line names."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from weighbridge.domain.digest import short
from weighbridge.domain.instruction import keyword
from weighbridge.domain.measure import Uncompressed
from weighbridge.domain.weighing import WeighedImage, WeighedLine

Mark: TypeAlias = Literal["own", "heaviest", "none"]
"""`none`: it made no layer."""


@dataclass(frozen=True, slots=True)
class LineRow:
    """One row; sizes as in `WeighedLine`, with the layer's confidence."""

    mark: Mark
    compressed_bytes: int | None
    uncompressed: Uncompressed | None
    text: str


NOTHING = Uncompressed("exact", 0, 0, 0)


def line_rows(image: WeighedImage, *, wants_all: bool = False) -> list[LineRow]:
    """The rows in Dockerfile order, the heaviest one marked.

    Lines that made no layer are folded into one last row, unless all are wanted.
    Where it is not known which line made which layer, the rows are layers.
    """
    is_aligned = image.history_alignment != "unresolved"
    rows: list[LineRow] = []
    folded: list[WeighedLine] = []
    named: set[int] = set()
    for line in image.lines:
        if line.layer is not None:
            named.add(line.layer)
            rows.append(_layer_row(image, line.layer, line.instruction))
        elif wants_all:
            rows.append(_metadata_row(line.instruction, is_aligned=is_aligned))
        elif is_aligned:
            folded.append(line)
    rows += [
        _layer_row(image, index, _layer_text(image, index))
        for index in range(len(image.layers))
        if index not in named
    ]
    rows = _with_heaviest(rows)
    if folded:
        rows.append(_metadata_row(_folded_text(folded)))
    return rows


def find_heaviest(rows: list[LineRow]) -> tuple[int, LineRow] | None:
    """The marked row and its number, counted from 1."""
    for number, row in enumerate(rows, start=1):
        if row.mark == "heaviest":
            return number, row
    return None


def _layer_row(image: WeighedImage, index: int, text: str) -> LineRow:
    layer = image.layers[index]
    return LineRow("own", layer.compressed_bytes, layer.uncompressed, text)


def _metadata_row(text: str, *, is_aligned: bool = True) -> LineRow:
    if is_aligned:
        return LineRow("none", 0, NOTHING, text)
    return LineRow("none", None, None, text)


def _with_heaviest(rows: list[LineRow]) -> list[LineRow]:
    weights = [row.compressed_bytes or 0 for row in rows]
    if not any(weights):
        return rows
    heaviest = weights.index(max(weights))
    row = rows[heaviest]
    marked = LineRow("heaviest", row.compressed_bytes, row.uncompressed, row.text)
    return [*rows[:heaviest], marked, *rows[heaviest + 1 :]]


def _layer_text(image: WeighedImage, index: int) -> str:
    return f"(layer {index + 1}, {short(image.layers[index].digest)})"


def _folded_text(lines: list[WeighedLine]) -> str:
    keywords = sorted({keyword(line.instruction) or "others" for line in lines})
    count = len(lines)
    if count == 1:
        return f"{keywords[0]} (1 metadata line, --all shows it)"
    return f"{', '.join(keywords)} ({count} metadata lines, --all shows them)"
