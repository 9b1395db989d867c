"""The page of one repository: its newest image and its tags."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from weighbridge.domain.report.inventory import (
    Page,
    RegistryReport,
    RepositoryReport,
    TagReport,
)
from weighbridge.domain.report.violation import ViolationReport
from weighbridge.presentation.rows.report_rows import StandIn, stand_in
from weighbridge.web.views.charts import (
    Storage,
    repository_storage,
    row_share,
    what_exclusive_frees,
)
from weighbridge.web.views.frame import (
    Banner,
    repository_banners,
    repository_state,
)
from weighbridge.web.views.templating import MINUS
from weighbridge.web.views.violations import ViolationItem, items
from weighbridge.web.views.words import (
    BITS_A_SECOND,
    Amount,
    ago,
    amount_of_row,
    marked,
    pull_time,
    summary,
)

_COLOURED_PERCENT: Final = 5
_NEWEST_BY: Final = {
    "pushed": "newest by push time",
    "moved": "newest by when its tag moved",
    "latest": "newest by the tag latest",
    "version": "newest by version",
    "created": "newest by build time",
    "name": "newest by name",
}
_NOT_IMAGES: Final = {
    "artifact": ("no image", "An artifact, not an image"),
    "unweighable": ("not weighable", "A manifest that states no sizes"),
}


class TagRow(Struct, frozen=True):
    """One tag; `note` says what is odd about it, `over` which limits it stands over;
    "" for nothing."""

    tag: TagReport
    ref: str
    when: str
    when_title: datetime
    compressed: Amount
    uncompressed: Amount
    bar: float
    note: str
    note_title: str
    over: str


class RepositoryPage(Struct, frozen=True):
    """absent: what stands in the place of numbers where there is no image
    growth: percent against the baseline, with arrow and sign, "" without one;
    coloured from 5 % on.
    stands_for: what is in the place of the heaviest line, "" for a line
    storage: None where nothing of it was read yet
    frees: what deleting it would free, as a sentence"""

    report: RepositoryReport
    ref: str
    absent: Amount
    newest: Amount
    on_disk: Amount
    growth: str
    growth_css: str
    newest_by: str
    heaviest: str
    stands_for: StandIn
    pull_fast: str
    pull_slow: str
    storage: Storage | None
    frees: str
    banners: tuple[Banner, ...]
    rows: tuple[TagRow, ...]
    violations: tuple[ViolationItem, ...]


def repository_page(
    report: RepositoryReport,
    tags: Page[TagReport],
    now: datetime,
    registry: RegistryReport | None = None,
    violations: Sequence[ViolationReport] = (),
) -> RepositoryPage:
    """The page; bars of its tags share one scale."""
    ref = f"{report.registry}/{report.repository}"
    compressed = report.newest_compressed_bytes
    fast, slow = BITS_A_SECOND.values()
    change = _growth(compressed, report.baseline_compressed_bytes)
    absent = _absent(report)
    return RepositoryPage(
        report=report,
        ref=ref,
        absent=absent,
        newest=absent
        if compressed is None
        else marked(
            Amount(compressed),
            report.newest_compressed_confidence,
            report.newest_claimed_bytes,
        ),
        on_disk=absent
        if compressed is None
        else amount_of_row(
            report.newest_uncompressed_bytes, report.newest_uncompressed_confidence
        ),
        growth=_growth_text(change),
        growth_css=_growth_css(change),
        newest_by=_NEWEST_BY.get(report.newest_by or "", ""),
        heaviest=summary(report.heaviest_instruction or "", 120),
        stands_for=stand_in(report.heaviest_instruction or ""),
        pull_fast=pull_time(compressed or 0, fast),
        pull_slow=pull_time(compressed or 0, slow),
        storage=repository_storage(report) if report.state != "deleted" else None,
        frees=what_exclusive_frees(
            report, registry.storage_scope_kind if registry else None
        ),
        banners=tuple(_banners(report, registry, now)),
        rows=tuple(_rows(ref, tags.items, now)),
        violations=items(violations),
    )


def _banners(
    report: RepositoryReport, registry: RegistryReport | None, now: datetime
) -> list[Banner]:
    if banners := repository_banners(report, registry, now):
        return banners
    word, sentence = repository_state(report)
    return [Banner(word, f"{sentence}.", word != "weighing")] if word else []


def _absent(report: RepositoryReport) -> Amount:
    if report.state == "deleted":
        return Amount(None, word="none", reason="The registry no longer has it")
    if report.state == "new":
        return Amount(None, word="not yet", reason="No image is read yet")
    return Amount(
        None,
        word="no image",
        reason="What it holds is not an image, or none could be read",
    )


def _growth(compressed: int | None, baseline: int | None) -> float | None:
    if compressed is None or not baseline:
        return None
    return (compressed - baseline) / baseline * 100


def _growth_text(change: float | None) -> str:
    if change is None:
        return ""
    if abs(change) < 0.5:
        return "±0"
    return f"▲ +{change:.0f}" if change > 0 else f"▼ {MINUS}{-change:.0f}"


def _growth_css(change: float | None) -> str:
    if change is None or abs(change) < _COLOURED_PERCENT:
        return ""
    return "up" if change > 0 else "down"


def _rows(ref: str, tags: Sequence[TagReport], now: datetime) -> list[TagRow]:
    largest = max((tag.compressed_bytes or 0 for tag in tags), default=0)
    return [_row(ref, tag, largest, now) for tag in tags]


def _row(ref: str, tag: TagReport, largest: int, now: datetime) -> TagRow:
    moment = tag.pushed_at or tag.moved_at or tag.first_seen_at
    verb = "pushed" if tag.pushed_at else "moved" if tag.moved_at else "first seen"
    note, note_title = _note(tag, now)
    return TagRow(
        tag=tag,
        ref=f"{ref}:{tag.name}",
        when=f"{verb} {ago(moment, now)}",
        when_title=moment,
        compressed=marked(
            Amount(
                tag.compressed_bytes,
                word="none" if tag.kind in _NOT_IMAGES else "not yet",
                reason=note_title or "It is not read yet",
            ),
            tag.compressed_confidence,
            tag.claimed_bytes,
        ),
        uncompressed=amount_of_row(tag.uncompressed_bytes, tag.uncompressed_confidence),
        bar=row_share(tag.compressed_bytes or 0, largest),
        note=note,
        note_title=note_title,
        over=", ".join(tag.over),
    )


def _note(tag: TagReport, now: datetime) -> tuple[str, str]:
    if tag.deleted_at is not None:
        return (
            f"deleted {ago(tag.deleted_at, now)}",
            "A complete crawl no longer listed it",
        )
    if tag.error_code is not None:
        return "not read", tag.error_message or tag.error_code
    return _NOT_IMAGES.get(tag.kind or "", ("", ""))
