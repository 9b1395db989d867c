"""Rows of the read model as JSON objects: the keys of the API, of CSV and of lists."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeAlias, TypeVar

from weighbridge.domain.report.inventory import (
    Page,
    RegistryReport,
    RepositoryCrawlReport,
    RepositoryReport,
    SearchHit,
    TagReport,
)
from weighbridge.domain.size.weighing import WeighedImage, WeighedLine
from weighbridge.presentation.rows.row_fields import keys_of, page_of_rows, row_of
from weighbridge.presentation.rows.stand_ins import stand_in

Report: TypeAlias = (
    RegistryReport | RepositoryReport | TagReport | RepositoryCrawlReport | SearchHit
)

ReportT = TypeVar("ReportT", bound=Report)

AGED: Final = (RegistryReport, RepositoryReport)
"""Rows that also say how old they are."""
AGES: Final = ("is_stale", "age_seconds")


def columns(kind: type[Report]) -> list[str]:
    """The keys of one kind of row, in the order in which they are shown."""
    return [*keys_of(kind), *(AGES if issubclass(kind, AGED) else ())]


def row_json(report: Report, now: datetime) -> dict[str, object]:
    """The row under the names of its value, and its age at `now`; times RFC 3339;
    unknown is null, and so is the reason of a state that has none."""
    row = row_of(keys_of(type(report)), report)
    if isinstance(report, AGED):
        row["is_stale"] = report.is_stale(now)
        row["age_seconds"] = report.age_seconds(now)
    return row


def list_json(rows: Sequence[Report], now: datetime) -> dict[str, object]:
    """A list that has no other page."""
    return page_json(Page(tuple(rows), None), now)


def page_json(page: Page[ReportT], now: datetime) -> dict[str, object]:
    """One page of a list."""
    return page_of_rows(page, lambda report: row_json(report, now))


LINE_COLUMNS: Final = (
    "line",
    "layer",
    "instruction",
    "digest",
    "compressed_bytes",
    "compressed_confidence",
    "claimed_bytes",
    "uncompressed_bytes",
    "uncompressed_confidence",
)


def line_number(line: WeighedLine) -> int | None:
    """Which of the lines that made layers it is, counted from 1; the one number that
    a line has wherever it is shown. None for a line without a layer, and for a text
    that only stands for lines which are not known."""
    if line.layer is None or stand_in(line.instruction):
        return None
    return line.layer + 1


def line_rows(image: WeighedImage) -> list[dict[str, object]]:
    """The lines of one image as a flat table; layers that no line names follow.

    `line` is the number that pages and tables show, `layer` the index of JSON.
    """
    rows: list[dict[str, object]] = []
    for line in image.lines:
        row: dict[str, object] = {
            "line": line_number(line),
            "layer": line.layer,
            "instruction": line.instruction,
            "compressed_bytes": line.compressed_bytes,
            "uncompressed_bytes": line.uncompressed_bytes,
        }
        rows.append(row | _layer_cells(image, line.layer))
    named = {line.layer for line in image.lines}
    for index, layer in enumerate(image.layers):
        if index not in named:
            cells = _layer_cells(image, index)
            rows.append(
                {"layer": index, "compressed_bytes": layer.compressed_bytes} | cells
            )
    return rows


def _layer_cells(image: WeighedImage, index: int | None) -> dict[str, object]:
    if index is None:
        return {}
    layer = image.layers[index]
    known = layer.uncompressed
    return {
        "digest": layer.digest,
        "compressed_confidence": layer.compressed_confidence,
        "claimed_bytes": layer.claimed_bytes,
        "uncompressed_bytes": known.uncompressed_bytes if known else None,
        "uncompressed_confidence": known.confidence if known else "unknown",
    }
