"""What `weighbridge top` prints: a row with a bar for each repository."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final

from weighbridge.domain.report.inventory import RegistryReport, RepositoryReport
from weighbridge.domain.size.confidence import CompressedConfidence
from weighbridge.presentation.forms.phrases import NOTHING_CRAWLED, minute, plural
from weighbridge.presentation.forms.screen import Output, Screen
from weighbridge.presentation.forms.table import Table
from weighbridge.presentation.reports.top_columns import (
    MARKS,
    STORAGE,
    columns_of,
    is_old,
)
from weighbridge.presentation.rows.report_rows import columns, row_json

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
