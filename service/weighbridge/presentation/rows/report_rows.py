"""Rows of the read model as JSON objects: the keys of the API, of CSV and of lists.

The keys of a row are the fields of the value that declares them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar

from msgspec import Struct

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.image_config import LINE_UNKNOWN, NOT_IN_HISTORY
from weighbridge.domain.report.inventory import (
    DisputeReport,
    Page,
    RegistryReport,
    RepositoryCrawlReport,
    RepositoryReport,
    SearchHit,
    Source,
    TagReport,
)
from weighbridge.domain.size.weighing import WeighedImage, WeighedLine, rfc3339

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


T = TypeVar("T")

REASONS: Final = ("state_reason", "reason")
"""Keys whose values are "" inside, and null in JSON, where there is no reason."""


def keys_of(kind: "type[DataclassInstance | Struct]") -> tuple[str, ...]:
    """In the order in which they are shown."""
    if issubclass(kind, Struct):
        return kind.__struct_fields__
    return tuple(field.name for field in fields(kind))


def row_of(keys: Sequence[str], value: object, **given: object) -> dict[str, object]:
    """A JSON object with these keys: what is given for them, else what the value has
    under the name. Times are RFC 3339; unknown is null."""
    return {
        key: given[key] if key in given else _plain(key, getattr(value, key))
        for key in keys
    }


def page_of_rows(
    page: Page[T], row: Callable[[T], dict[str, object]]
) -> dict[str, object]:
    """One page of a list, in the shape of every list."""
    return {"items": list(map(row, page.items)), "next_cursor": page.next_cursor}


def _plain(key: str, value: object) -> object:
    if key in REASONS:
        return value or None
    if isinstance(value, tuple):
        return list(value)
    return rfc3339(value) if isinstance(value, datetime) else value


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


StandIn: TypeAlias = Literal["", "unknown", "squashed"]
"""`unknown`: the layer's line is not known; `squashed`: several lines made it."""

_SQUASHED: Final = "(squashed"


def stand_in(instruction: str) -> StandIn:
    """What the text stands for, "" for a line of a Dockerfile."""
    if instruction.startswith(_SQUASHED):
        return "squashed"
    is_unknown = instruction.startswith((LINE_UNKNOWN, NOT_IN_HISTORY))
    return "unknown" if is_unknown else ""


@dataclass(frozen=True, slots=True)
class DisputeRow:
    """A size that a manifest or a listing claims, and that the registry contradicts.

    `digest` is the blob's (of a listing's size the image's own), `image` that of the
    manifest whose claim it is, `tags` at most ten that lead to it. What is judged and
    summed up is `registry_bytes`.
    """

    registry: str
    repository: str
    tags: list[str]
    image: Digest
    digest: Digest
    claimed_bytes: int
    registry_bytes: int
    source: Source
    seen_at: datetime


DISPUTE_COLUMNS: Final = keys_of(DisputeRow)


def dispute_json(report: DisputeReport) -> dict[str, object]:
    """The row of one claim."""
    return row_of(DISPUTE_COLUMNS, report)
