"""What `weighbridge top` reads and prints: a row with a bar for each repository."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

from msgspec.structs import replace

from weighbridge.bootstrap.databases import read_database
from weighbridge.config import Settings
from weighbridge.domain.report.inventory import RegistryReport, RepositoryReport
from weighbridge.domain.size.confidence import CompressedConfidence
from weighbridge.presentation.forms.phrases import (
    NOTHING_CRAWLED,
    UNKNOWN,
    ColumnUnit,
    column_unit,
    minute,
    plural,
)
from weighbridge.presentation.forms.screen import Output, Screen, bar
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.presentation.rows.report_rows import columns, row_json
from weighbridge.store.reports.inventory import registry_reports
from weighbridge.store.reports.repositories import RepositoryQuery, repository_page


def top(
    settings: Settings,
    output: Output,
    screen: Screen,
    *,
    by: str,
    limit: int,
    registry: str | None,
) -> str:
    """The first repositories by one column of the read model.

    Raises UsageError(unknown_registry), StoreError(no_database).
    """
    order = "asc" if by == "name" else "desc"
    query = RepositoryQuery(registry=registry, sort=by, order=order, limit=limit)
    with read_database(settings, registry) as connection:
        registries = registry_reports(connection)
        rows = repository_page(connection, query).items
    shown = {row.registry for row in rows}
    theirs = [r for r in registries if r.name in shown or not rows]
    return printed(rows, output, screen, datetime.now(UTC), theirs, by=by)


_SCOPES: Final = 3
_WHOSE: Final[dict[CompressedConfidence, str]] = {
    "disputed": "disputed: the registry's figure, the manifest says otherwise",
    "claimed": "claimed by the manifest, not confirmed by the registry",
}


def printed(
    rows: Sequence[RepositoryReport],
    output: Output,
    screen: Screen,
    now: datetime,
    registries: Sequence[RegistryReport] = (),
    *,
    by: str = "compressed",
) -> str:
    """The API's rows; for people the newest image of each repository.

    registries: those of which nothing, or nothing new, may be said
    by: what the rows are sorted by; bars are of that
    """
    crawled = [registry.name for registry in registries if registry.is_crawled]
    found = f"no repository was found in {', '.join(crawled)}"
    table = Table(
        columns=columns_of(rows, screen, by),
        keys=columns(RepositoryReport),
        as_object=partial(row_json, now=now),
        empty=found if crawled else NOTHING_CRAWLED,
    )
    foot = _foot(rows, registries, by) if rows else []
    return table.printed(rows, output, screen, foot=foot)


def _foot(
    rows: Sequence[RepositoryReport],
    registries: Sequence[RegistryReport],
    by: str,
) -> list[str]:
    about = _about_storage(rows) if by in STORAGE else _about_images(rows, by)
    stale = [registry for registry in registries if is_old(registry)]
    return [*about, *map(_stale, stale)]


def _about_images(rows: Sequence[RepositoryReport], by: str) -> list[str]:
    platforms = sorted({row.newest_platform for row in rows if row.newest_platform})
    parts = [plural(len(rows), "repository", "repositories"), *platforms]
    text = f"  {', '.join(parts)}"
    if any(row.newest_uncompressed_confidence == "estimate" for row in rows):
        text += "   ~ estimate"
    if any(is_old(row) for row in rows):
        text += "   ! the last crawl failed or was not complete"
    if by == "growth":
        text += "   baseline: median of the ten images before the newest"
    return [text, *_whose_words(rows)]


def _whose_words(rows: Sequence[RepositoryReport]) -> list[str]:
    """What the marks before compressed bytes mean, as far as they are there."""
    marked = {row.newest_compressed_confidence for row in rows}
    return [
        f"  {MARKS[confidence]} {words}"
        for confidence, words in _WHOSE.items()
        if confidence in marked
    ]


def _about_storage(rows: Sequence[RepositoryReport]) -> list[str]:
    """Which sets the exclusive numbers are of: a number without it means nothing."""
    scopes = sorted({row.storage_scope for row in rows})
    named = ", ".join(scopes[:_SCOPES])
    if len(scopes) > _SCOPES:
        named += f" and {len(scopes) - _SCOPES:,} more"
    count = plural(len(rows), "repository", "repositories")
    text = (
        f"  {count}   exclusive: what nothing else in {named} refers to, "
        "freed by deleting it and collecting garbage"
    )
    failed = "  ! the last crawl failed or was not complete"
    return [text, failed] if any(map(is_old, rows)) else [text]


def _stale(registry: RegistryReport) -> str:
    reason = registry.state_reason
    words = f"{registry.state} ({reason})" if reason else registry.state
    since = f" since {minute(registry.state_since)}" if registry.state_since else ""
    return f"  {registry.name} is {words}{since}: its numbers are the last ones"


STORAGE: Final = ("deduplicated", "exclusive", "shared")
"""What is compared in storage, not in a pull."""
MARKS: Final[dict[CompressedConfidence, str]] = {"disputed": "*", "claimed": "?"}
"""Before compressed bytes that the manifest gives otherwise, or that nobody but the
manifest says."""

_NO_IMAGE: Final = "no image"
_BARS: Final = (16, 8)
_COMPARED: Final = {"uncompressed": 1, "shared": 2, "exclusive": 1, "growth": 3}
"""Which column of numbers the rows are in the order of, where it is not the first."""

_Column = Column[RepositoryReport]


def columns_of(
    rows: Sequence[RepositoryReport], screen: Screen, by: str
) -> list[_Column]:
    """What is compared stays where a terminal is narrow, as the rows are in its order;
    a bar goes first."""
    numbers = _numbers(rows, screen, by)
    index = len(numbers) - 1 if by in ("tags", "images") else _COMPARED.get(by, 0)
    numbers[index] = replace(numbers[index], rank=None)
    return [
        _Column("", lambda row: " !" if is_old(row) else "  ", rank=None),
        *numbers,
        _bars(rows, screen, by),
        _Column("Repository", lambda row: f"{row.registry}/{row.repository}", "name"),
        _Column("Tag", lambda row: row.newest_tag or "", rank=1),
        _Column("", _state, "line"),
    ]


def is_old(row: RepositoryReport | RegistryReport) -> bool:
    """Whether its numbers are not of a complete last crawl."""
    return row.state not in ("ok", "new")


def _bars(rows: Sequence[RepositoryReport], screen: Screen, by: str) -> _Column:
    """All on one scale from zero: long ones, where there is no room short ones."""
    scale = max((_compared(row, by) for row in rows), default=0)

    def column(cells: int) -> _Column:
        return _Column(
            "",
            lambda row: bar(_compared(row, by), scale, cells, ascii=screen.ascii),
            rank=-1,
            role="own",
        )

    long, short = map(column, _BARS)
    return replace(long, instead=short)


def _numbers(
    rows: Sequence[RepositoryReport], screen: Screen, by: str
) -> list[_Column]:
    if by == "growth":
        return _growth(rows, screen)
    if by in STORAGE:
        return _storage(rows, screen)
    compressed = _unit((row.newest_compressed_bytes for row in rows), screen)
    on_disk = _unit((row.newest_uncompressed_bytes for row in rows), screen)
    found = [
        _compressed(compressed),
        _number("On disk", on_disk.name, lambda row: _on_disk_cell(row, on_disk)),
    ]
    if by in ("tags", "images"):
        found.append(_number("", by.upper(), lambda row: f"{_compared(row, by):,}"))
    return found


def _number(title: str, unit: str, cell: Callable[[RepositoryReport], str]) -> _Column:
    return _Column(title, cell, "number", unit=unit)


def _compared(row: RepositoryReport, by: str) -> int:
    """What its bar is of; 0 for what is unknown, and for what shrank."""
    if by == "tags":
        return row.tags
    if by == "images":
        return row.images
    if by == "uncompressed":
        return row.newest_uncompressed_bytes or 0
    if by == "growth":
        return max(0, round((_growth_ratio(row) or 0) * 1_000_000))
    if by in STORAGE:
        return _stored(row, by) or 0
    return row.newest_compressed_bytes or 0


def _growth_bytes(row: RepositoryReport) -> int | None:
    """How much more a pull of the newest image moves than the images before it."""
    newest, baseline = row.newest_compressed_bytes, row.baseline_compressed_bytes
    return None if newest is None or baseline is None else newest - baseline


def _growth_ratio(row: RepositoryReport) -> float | None:
    """The same as a part of the baseline: 1.43 is 143 % more."""
    grown, baseline = _growth_bytes(row), row.baseline_compressed_bytes
    return None if grown is None or not baseline else grown / baseline


def _is_imageless(row: RepositoryReport) -> bool:
    """Whether it was crawled, and has tags of other things only."""
    return bool(row.tags) and not row.images and row.newest_compressed_bytes is None


def _state(row: RepositoryReport) -> str:
    """ "" where the last crawl was good: else how it ended, and of when the numbers
    are."""
    if row.state == "ok":
        return ""
    reason = row.state_reason
    has_reason = reason and reason != row.state
    words = f"{row.state} ({reason})" if has_reason else row.state
    if row.state == "new":
        return words
    seen = row.last_complete_crawl_at
    return f"{words}, complete {minute(seen)}" if seen else words


def _compressed(unit: ColumnUnit) -> _Column:
    """`no image` where charts and the like are all there is."""
    return _number("Compressed", unit.name, lambda row: _compressed_cell(row, unit))


def _compressed_cell(row: RepositoryReport, unit: ColumnUnit) -> str:
    """The number, with a mark where it is not simply the registry's word."""
    if _is_imageless(row):
        return _NO_IMAGE
    cell = unit.cell(row.newest_compressed_bytes)
    confidence = row.newest_compressed_confidence
    if row.newest_compressed_bytes is None or confidence is None:
        return cell
    return f"{MARKS.get(confidence, '')}{cell}"


def _on_disk_cell(row: RepositoryReport, unit: ColumnUnit) -> str:
    """The number, with `~` where it is an estimate."""
    if _is_imageless(row):
        return ""
    if row.newest_uncompressed_bytes is None:
        return UNKNOWN
    cell = unit.cell(row.newest_uncompressed_bytes)
    is_estimate = row.newest_uncompressed_confidence == "estimate"
    return f"~{cell}" if is_estimate else cell


def _growth(rows: Sequence[RepositoryReport], screen: Screen) -> list[_Column]:
    """The newest image and the baseline in one unit, so that they can be compared."""
    numbers = [row.newest_compressed_bytes for row in rows]
    unit = _unit([*numbers, *(row.baseline_compressed_bytes for row in rows)], screen)
    return [
        _compressed(unit),
        _number(
            "Baseline", unit.name, lambda row: unit.cell(row.baseline_compressed_bytes)
        ),
        _number("Change", unit.name, lambda row: _signed(_growth_bytes(row), unit)),
        _number("", "%", _percent_cell),
    ]


def _signed(number: int | None, unit: ColumnUnit) -> str:
    if not number:
        return unit.cell(number)
    return f"{'+' if number > 0 else '-'}{unit.cell(abs(number))}"


def _percent_cell(row: RepositoryReport) -> str:
    ratio = _growth_ratio(row)
    if ratio is None:
        return UNKNOWN
    return f"{ratio * 100:+.1f}" if ratio else "0"


def _storage(rows: Sequence[RepositoryReport], screen: Screen) -> list[_Column]:
    unit = _unit((row.deduplicated_bytes for row in rows), screen)

    def column(title: str, by: str) -> _Column:
        return _number(title, unit.name, lambda row: unit.cell(_stored(row, by)))

    return [
        column("Stored", "deduplicated"),
        column("Exclusive", "exclusive"),
        column("Shared", "shared"),
    ]


def _stored(row: RepositoryReport, by: str) -> int | None:
    if by == "deduplicated":
        return row.deduplicated_bytes
    return row.exclusive_bytes if by == "exclusive" else row.shared_bytes


def _unit(numbers: Iterable[int | None], screen: Screen) -> ColumnUnit:
    known = [number for number in numbers if number is not None]
    # Where nothing is known yet, the unit of most images.
    return column_unit(max(known, default=2**20), iec=screen.iec)
