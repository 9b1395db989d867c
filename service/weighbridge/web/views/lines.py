"""The table of an image's lines: what each adds, beside its layer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from weighbridge.domain.weighing import WeighedImage, WeighedLayer, WeighedLine
from weighbridge.web.views.charts import Part, row_share
from weighbridge.web.views.numbers import Amount, percent
from weighbridge.web.views.summaries import summary
from weighbridge.web.views.words import amount

_SUMMARY_CHARACTERS: Final = 90


@dataclass(frozen=True, slots=True)
class LineRow:
    """One line that made a layer, or a layer whose line is not known.

    number:  1 for the first layer, as people count; `key` is its anchor
    command: the first word of the instruction, `rest` what follows it
    compressed_bytes: 0 where an earlier line has the same layer: it is moved once
    bar:     percent of the column, of the heaviest line
    """

    key: str
    number: int
    command: str
    rest: str
    digest: str
    media_type: str
    compressed_bytes: int
    uncompressed: Amount
    share: str
    bar: float = 0.0
    is_heaviest: bool = False
    note: str = ""

    @property
    def instruction(self) -> str:
        """The whole line."""
        return f"{self.command} {self.rest}".strip()


@dataclass(frozen=True, slots=True)
class MetadataLine:
    """A line without a layer, and the number of the layer line before it."""

    after: int
    command: str
    rest: str


@dataclass(frozen=True, slots=True)
class LineTable:
    """rows sum to `compressed_bytes`."""

    rows: tuple[LineRow, ...]
    metadata: tuple[MetadataLine, ...]
    metadata_summary: str
    compressed_bytes: int
    lines: int

    @property
    def heaviest(self) -> LineRow | None:
        """The row with the most bytes, None where there is none with any."""
        return next((row for row in self.rows if row.is_heaviest), None)

    @property
    def heaviest_summary(self) -> str:
        """The heaviest line in at most 90 characters."""
        row = self.heaviest
        return summary(row.instruction, _SUMMARY_CHARACTERS) if row else ""

    def parts(self) -> list[Part]:
        """The rows as the bar sees them."""
        return [
            Part(
                row.key,
                summary(row.instruction, _SUMMARY_CHARACTERS),
                row.number,
                row.compressed_bytes,
                row.is_heaviest,
            )
            for row in self.rows
        ]


def line_table(image: WeighedImage) -> LineTable:
    """One row a layer, in the order of the Dockerfile, and the metadata lines."""
    line_of = {line.layer: line for line in image.lines if line.layer is not None}
    rows = _marked(
        [
            _row(index, layer, line_of.get(index), image)
            for index, layer in enumerate(image.layers)
        ]
    )
    metadata = _metadata(image.lines)
    return LineTable(
        rows=tuple(rows),
        metadata=tuple(metadata),
        metadata_summary=_summary(metadata),
        compressed_bytes=image.compressed_bytes,
        lines=len(image.lines),
    )


def _row(
    index: int, layer: WeighedLayer, line: WeighedLine | None, image: WeighedImage
) -> LineRow:
    earlier = [other.digest for other in image.layers[:index]]
    same_as = earlier.index(layer.digest) + 1 if layer.digest in earlier else 0
    number = 0 if same_as else layer.compressed_bytes
    command, rest = _split(line.instruction if line else "")
    return LineRow(
        key=f"l{index + 1}",
        number=index + 1,
        command=command or "layer",
        rest=rest if line else f"{layer.digest[:19]}, its line is not known",
        digest=layer.digest,
        media_type=layer.media_type,
        compressed_bytes=number,
        uncompressed=amount(layer.uncompressed),
        share=percent(number, image.compressed_bytes),
        note=_note(layer, same_as),
    )


def _note(layer: WeighedLayer, same_as: int) -> str:
    if same_as:
        return f"same layer as line {same_as}, moved once"
    if layer.is_foreign:
        return "lies outside this registry, counted in a pull only"
    return ""


def _marked(rows: Sequence[LineRow]) -> list[LineRow]:
    """With bars, and the heaviest row marked; the first of equals."""
    largest = max((row.compressed_bytes for row in rows), default=0)
    heaviest = next((r.key for r in rows if r.compressed_bytes == largest), "")
    return [
        replace(
            row,
            bar=row_share(row.compressed_bytes, largest),
            is_heaviest=bool(largest) and row.key == heaviest,
        )
        for row in rows
    ]


def _metadata(lines: Sequence[WeighedLine]) -> list[MetadataLine]:
    found: list[MetadataLine] = []
    after = 0
    for line in lines:
        if line.layer is not None:
            after = line.layer + 1
            continue
        command, rest = _split(line.instruction)
        found.append(MetadataLine(after, command, rest))
    return found


def _summary(metadata: Sequence[MetadataLine]) -> str:
    """`CMD, ENV, EXPOSE`: each command once, in the order of the Dockerfile."""
    return ", ".join(dict.fromkeys(line.command for line in metadata))


def _split(instruction: str) -> tuple[str, str]:
    command, _, rest = instruction.partition(" ")
    return command, rest
