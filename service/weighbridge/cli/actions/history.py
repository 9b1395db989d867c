"""What `weighbridge history` reads and prints: a row for each step."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from weighbridge.bootstrap.databases import check_registry, read_database
from weighbridge.bootstrap.registries.targets import address_of
from weighbridge.cli.options.parameters import name_at
from weighbridge.config import Settings
from weighbridge.domain.growth.tag_history import StepBy
from weighbridge.domain.image.platform import DEFAULT, parse_platform
from weighbridge.domain.image.reference import Reference, parse_reference, written_tag
from weighbridge.domain.report.history import (
    HistoryReport,
    HistoryStep,
    StepReason,
)
from weighbridge.domain.text.units import format_bytes, parse_since
from weighbridge.errors import StoreError, UsageError
from weighbridge.presentation.forms.phrases import (
    UNKNOWN,
    ColumnUnit,
    column_unit,
    minute,
    plural,
    some_names,
)
from weighbridge.presentation.forms.screen import Output, Screen, bar
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.presentation.image.line_table import short_instruction
from weighbridge.presentation.rows.history_rows import (
    HISTORY_COLUMNS,
    history_about,
    step_cells,
    step_json,
)
from weighbridge.store.named_rows import find_place
from weighbridge.store.registries.registry_rows import names_at
from weighbridge.store.reports.history import HistoryQuery, history_page
from weighbridge.store.reports.inventory import registry_names
from weighbridge.store.reports.nearest import nearest_repositories, nearest_tags
from weighbridge.store.session import Connection


def history(
    settings: Settings,
    ref: str,
    *,
    platform: str | None,
    since: str | None,
    limit: int,
    now: datetime,
) -> HistoryReport:
    """The latest steps of a repository, or of a tag where one is written.

    Raises InvalidReference, UsageError(unknown_registry, invalid_platform,
    invalid_since, no_digest), StoreError(no_database, repository_not_found,
    tag_not_found).
    """
    wanted = None if platform is None else parse_platform(platform)
    begin = None if since is None else parse_since(since, now)
    with read_database(settings) as connection:
        registry, reference = stored_reference(connection, settings, ref)
        if reference.digest is not None:
            raise UsageError(
                "a digest never moves: it has no history",
                code="no_digest",
                hint=f"weighbridge history {registry}/{reference.repository}",
            )
        configured = settings.find_registry(registry)
        query = HistoryQuery(
            registry,
            reference.repository,
            written_tag(ref),
            platform=wanted,
            since=begin,
            limit=limit,
            leaves_tags_out=registry in settings.reclaim_choice.in_part,
        )
        shown = (DEFAULT,) if configured is None else configured.platforms
        found = history_page(connection, query, now, shown)
        if found is None:
            raise _not_known(connection, query)
    return found


def _not_known(connection: Connection, query: HistoryQuery) -> StoreError:
    """With the nearest names."""
    name = f"{query.registry}/{query.repository}"
    place = find_place(connection, query.registry, query.repository)
    if place is None or query.tag is None:
        near = nearest_repositories(connection, query.registry, query.repository)
        message, code = f"{name} was never crawled", "repository_not_found"
    else:
        near = nearest_tags(connection, query.registry, query.repository, query.tag)
        message, code = f"{name} never had a tag {query.tag}", "tag_not_found"
    hint = f"nearest  {', '.join(near)}" if near else ""
    return StoreError(message, code=code, hint=hint)


def stored_reference(
    connection: Connection, settings: Settings, ref: str
) -> tuple[str, Reference]:
    """The registry that was crawled, by its name or its address, and what is named
    there. Raises InvalidReference, UsageError(unknown_registry)."""
    stored = registry_names(connection)
    first, slash, _ = ref.partition("/")
    if slash and first in stored:
        return first, parse_reference(ref, frozenset({first}))
    reference = parse_reference(ref, settings.names | settings.entries)
    for name in _names_of(connection, settings, reference.registry):
        if name in stored:
            return name, reference
    check_registry(connection, reference.registry)
    return reference.registry, reference


def _names_of(
    connection: Connection, settings: Settings, address: str
) -> Iterator[str]:
    yield name_at(settings, address)
    for scheme in ("https", "http"):
        yield from names_at(connection, address_of(f"{scheme}://{address}"))


_BARS: Final = (16, 8)
_Column = Column[HistoryStep]


def printed(found: HistoryReport, output: Output, screen: Screen) -> str:
    """The API's rows; for people a line each, with a bar from zero."""
    rows = found.items
    table = Table(
        columns=_columns(rows, screen),
        keys=HISTORY_COLUMNS,
        as_object=step_json,
        as_cells=step_cells,
        role=lambda step: "over" if (step.grown_bytes or 0) > 0 else None,
        empty="it had no image yet" if found.tag is None else "it was never read",
    )
    beside = history_about(found)
    return table.printed(rows, output, screen, foot=_foot(found), beside=beside)


def _columns(rows: Sequence[HistoryStep], screen: Screen) -> list[_Column]:
    largest = max((row.compressed_bytes or 0 for row in rows), default=0)
    unit = column_unit(largest or 2**20, iec=screen.iec)

    def number(title: str, cell: Callable[[HistoryStep], str], rank: int) -> _Column:
        return _Column(title, cell, "number", rank, unit=unit.name)

    def bars(cells: int) -> _Column:
        def drawn(step: HistoryStep) -> str:
            size = step.compressed_bytes or 0
            return bar(size, largest, cells, ascii=screen.ascii)

        return _Column("", drawn, rank=-1, role="own")

    long, short = map(bars, _BARS)
    return [
        _Column("since, UTC", lambda step: minute(step.at), "words", rank=None),
        number("compressed", lambda step: unit.cell(step.compressed_bytes), 4),
        number("change", lambda step: _change(step, unit), 3),
        number("baseline", lambda step: _baseline(step, unit), 1),
        number("on disk", lambda step: _on_disk(step, unit), 0),
        replace(long, instead=short),
        _Column("tags", _tags, "name"),
        _Column("line that did most of it", lambda s: _line(s, screen), "line"),
    ]


def _change(step: HistoryStep, unit: ColumnUnit) -> str:
    if step.grown_bytes is None:
        return ""
    if not step.grown_bytes:
        return unit.cell(0)
    sign = "+" if step.grown_bytes > 0 else "-"
    return f"{sign}{unit.cell(abs(step.grown_bytes))}"


def _baseline(step: HistoryStep, unit: ColumnUnit) -> str:
    """Nothing where there is none yet."""
    number = step.baseline_compressed_bytes
    return "" if number is None else unit.cell(number)


def _on_disk(step: HistoryStep, unit: ColumnUnit) -> str:
    if step.compressed_bytes is None:
        return ""
    cell = unit.cell(step.uncompressed_bytes)
    is_estimate = step.uncompressed_confidence == "estimate"
    return f"~{cell}" if is_estimate and cell != UNKNOWN else cell


def _tags(step: HistoryStep) -> str:
    return some_names(step.tags, _NAMED, step.tag_count)


_NAMED: Final = 3
_NO_SIZE: Final[dict[StepReason | None, str]] = {
    "no_image": "no image",
    "no_platform": "no image for this platform",
    "not_read": "its image could not be read",
    "pruned": "its lines are not kept any more",
    "too_large": "it has too many layers to compare",
}


def _line(step: HistoryStep, screen: Screen) -> str:
    """The line that did most of the change, else what there is to say."""
    words = f"{_BY[step.by]}: " if step.by in _BY else ""
    if (change := step.leading_change) is not None:
        grown = change.grown_amount or 0
        sign = "+" if grown > 0 else ""
        amount = f"{sign}{format_bytes(grown, iec=screen.iec)}"
        line = short_instruction(change.instruction, screen.ellipsis)
        return f"{words}{amount} {line}"
    if step.reason is not None:
        return words + _NO_SIZE[step.reason]
    if step.before_digest is None and step.lines:
        heaviest = step.lines[0]
        line = short_instruction(heaviest.instruction, screen.ellipsis)
        return f"{words}heaviest {line}"
    return words.removesuffix(": ")


_BY: Final[dict[StepBy, str]] = {
    "first_seen": "there at the first crawl",
    "deleted": "newest again",
}


def _foot(found: HistoryReport) -> list[str]:
    rows = found.items
    what = "the newest image" if found.tag is None else f"the tag {found.tag}"
    platforms = sorted({step.platform for step in rows if step.platform})
    count = plural(len(rows), "step")
    more = ["there are more: --limit"] if found.next_cursor else []
    about = ", ".join([f"{count} of {what}", *platforms, *more])
    foot = [f"  {about}"] if rows else []
    if any(step.baseline_compressed_bytes is not None for step in rows):
        foot.append("  baseline: median of the ten distinct images before it")
    if found.reason:
        foot.append(f"  ! steps may be missing: {found.reason}")
    return foot
