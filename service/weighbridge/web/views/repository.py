"""The page of one repository: its newest image and its tags."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from weighbridge.domain.reclaim.reclaim_report import Freed
from weighbridge.domain.report.inventory import (
    RegistryReport,
    RepositoryReport,
    TagReport,
)
from weighbridge.domain.report.violation import ViolationReport
from weighbridge.presentation.forms.phrases import MINUS
from weighbridge.store.reports.tag_groups import TagGroup, TagGroups
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
from weighbridge.web.views.pulls import PullsSection
from weighbridge.web.views.violations import ViolationItem, items
from weighbridge.web.views.words import (
    Amount,
    ago,
    compressed,
    marked,
)

_COLOURED_PERCENT: Final = 5
_NOT_IMAGES: Final = {
    "artifact": ("no image", "An artifact, not an image"),
    "unweighable": ("not weighable", "A manifest that states no sizes"),
}


class TagRow(Struct, frozen=True):
    """Tags of one image; `note` says what is odd about them, "" for nothing.

    tag:    the one that speaks for them
    others: how many are not named
    frees:  what deleting all of them frees
    """

    tag: TagReport
    tags: Sequence[TagReport]
    others: int
    frees: Amount
    compressed: Amount
    bar: float
    note: str
    note_title: str


class RepositoryPage(Struct, frozen=True):
    """absent: what stands in the place of numbers where there is no image
    growth: percent against the baseline, with arrow and sign, "" without one;
    coloured from 5 % on.
    storage: None where nothing of it was read yet
    reclaimable_bytes: what deleting the tags frees that no rule keeps; None: not known
    frees: what deleting it would free, as a sentence
    pulls: None where its registry counts none"""

    report: RepositoryReport
    absent: Amount
    newest: Amount
    growth: str
    growth_css: str
    storage: Storage | None
    reclaimable_bytes: int | None
    frees: str
    banners: Sequence[Banner]
    rows: Sequence[TagRow]
    violations: tuple[ViolationItem, ...]
    pulls: PullsSection | None = None


def repository_page(
    report: RepositoryReport,
    tags: TagGroups,
    now: datetime,
    registry: RegistryReport | None = None,
    violations: Sequence[ViolationReport] = (),
    reclaimable: Freed | None = None,
) -> RepositoryPage:
    """The page; bars of its tags share one scale.

    reclaimable: what deleting the tags frees that no rule of `reclaim` keeps
    """
    newest_bytes = report.newest_compressed_bytes
    change = _growth(newest_bytes, report.baseline_compressed_bytes)
    absent = _absent(report)
    newest = absent
    if newest_bytes is not None:
        confidence = report.newest_compressed_confidence
        newest = marked(Amount(newest_bytes), confidence, report.newest_claimed_bytes)
    groups = tags.page.items
    largest = max((g.tags[0].compressed_bytes or 0 for g in groups), default=0)
    return RepositoryPage(
        report=report,
        absent=absent,
        newest=newest,
        growth=_growth_text(change),
        growth_css=_growth_css(change),
        storage=repository_storage(report) if report.state != "deleted" else None,
        reclaimable_bytes=None if reclaimable is None else reclaimable.freed_bytes,
        frees=what_exclusive_frees(
            report, registry.storage_scope_kind if registry else None
        ),
        banners=_banners(report, registry, now),
        rows=[_row(group, tags.unknown, largest, now) for group in groups],
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


def _row(group: TagGroup, unknown: str | None, largest: int, now: datetime) -> TagRow:
    tag = group.tags[0]
    note, note_title = _note(tag, now)
    word = "none" if tag.kind in _NOT_IMAGES else "not yet"
    size = compressed(tag, word, note_title or "It is not read yet")
    bar = row_share(tag.compressed_bytes or 0, largest)
    others = group.count - len(group.tags)
    frees = Amount(group.freed_bytes)
    if tag.deleted_at is not None:
        frees = Amount(None, word="gone", reason="The tag is deleted already")
    elif group.freed_bytes is None:
        frees = Amount(None, word="unknown", reason=_sentence(unknown))
    return TagRow(tag, group.tags, others, frees, size, bar, note, note_title)


def _sentence(why: str | None) -> str:
    return f"Not known: {why}" if why else "It is not read yet"


def _note(tag: TagReport, now: datetime) -> tuple[str, str]:
    if tag.deleted_at is not None:
        return (
            f"deleted {ago(tag.deleted_at, now)}",
            "A complete crawl no longer listed it",
        )
    if tag.error_code is not None:
        return "not read", tag.error_message or tag.error_code
    return _NOT_IMAGES.get(tag.kind or "", ("", ""))
