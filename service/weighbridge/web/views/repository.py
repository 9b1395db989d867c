"""The page of one repository: its newest image and its tags."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from weighbridge.domain.base.names import name_in_from
from weighbridge.domain.growth.newest import stream_of
from weighbridge.domain.image.image_base import BaseInWords
from weighbridge.domain.reclaim.reclaim_report import Freed
from weighbridge.domain.report.inventory import (
    RegistryReport,
    RepositoryReport,
    TagReport,
)
from weighbridge.domain.report.violation import ViolationReport
from weighbridge.domain.text.units import format_bytes
from weighbridge.presentation.forms.phrases import MINUS
from weighbridge.store.reports.tag_groups import TagGroup, TagGroups
from weighbridge.store.tags.tag_rows import natural_key
from weighbridge.web.views.charts import (
    StackedBar,
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
    amount_of_row,
    compressed,
    marked,
)

_COLOURED_PERCENT: Final = 5
_NEAR_PERCENT: Final = 90
_NOT_IMAGES: Final = {
    "artifact": ("no image", "An artifact, not an image"),
    "unweighable": ("not weighable", "A manifest that states no sizes"),
}


class Verdict(Struct, frozen=True):
    """What policies say of an image, `within 62 %`; the icon and its class."""

    text: str
    icon: str
    title: str


class RowChange(Struct, frozen=True):
    """Bytes more or less than the image before; coloured from 5 % on.

    changed_bytes: None where it is not known what one of both takes on a disk
    before: a tag of that one
    css:    "" below that
    """

    changed_bytes: int | None
    before: str
    css: str


class TagRow(Struct, frozen=True):
    """Tags of one image; `note` says what is odd about them, "" for nothing.

    tag:    the one that speaks for them
    others: how many are not named
    frees:  what deleting all of them frees
    base:   the name of the image's base as it is written in FROM, "" where it is not
            known; `is_relative`: it only has layers in common with that
    change: None where no image before it is known, or its size is not
    bar:    None where it is not known what it takes on a disk
    platforms: names of all, without `linux/`
    choice: the tag by which the row is chosen; "" for what is gone or no image
    """

    tag: TagReport
    tags: Sequence[TagReport]
    others: int
    frees: Amount
    compressed: Amount
    uncompressed: Amount
    bar: StackedBar | None
    note: str
    note_title: str
    verdict: Verdict | None
    change: RowChange | None
    base: str
    is_relative: bool
    platforms: Sequence[str]
    choice: str


TagSort: TypeAlias = Literal["newest", "name", "compressed", "uncompressed", "frees"]
_AMOUNTS: Final[dict[TagSort, Callable[[TagRow], Amount]]] = {
    "compressed": lambda row: row.compressed,
    "uncompressed": lambda row: row.uncompressed,
    "frees": lambda row: row.frees,
}


class TagTable(Struct, frozen=True):
    """How the table of tags is shown.

    limit:      rows, at most
    is_on_disk: bars and changes are of what a disk takes, not of what a pull moves
    """

    sort: TagSort = "newest"
    order: Literal["asc", "desc"] = "desc"
    limit: int = 100
    is_on_disk: bool = False

    @property
    def is_newest_first(self) -> bool:
        """Whether it goes on from page to page."""
        return self.sort == "newest" and self.order == "desc"

    def sorted(self, rows: Sequence[TagRow]) -> list[TagRow]:
        """What comes newest first, in this order; without a value last in either."""
        is_down = self.order == "desc"
        if self.sort == "newest":
            found = [*rows] if is_down else [*reversed(rows)]
        elif self.sort == "name":
            found = sorted(
                rows, key=lambda row: natural_key(row.tag.name), reverse=is_down
            )
        else:
            found = _by_amount(rows, _AMOUNTS[self.sort], is_down=is_down)
        return found[: self.limit]


def _by_amount(
    rows: Sequence[TagRow], amount: Callable[[TagRow], Amount], *, is_down: bool
) -> list[TagRow]:
    known = [row for row in rows if amount(row).number is not None]
    known.sort(key=lambda row: amount(row).number or 0, reverse=is_down)
    return [*known, *(row for row in rows if amount(row).number is None)]


NEWEST_FIRST: Final = TagTable()


class RepositoryPage(Struct, frozen=True):
    """absent: what stands in the place of numbers where there is no image
    growth: percent against the baseline, with arrow and sign, "" without one;
    coloured from 5 % on.
    storage: None where nothing of it was read yet
    reclaimable_bytes: what deleting the tags frees that no rule keeps; None: not known
    frees: what deleting it would free, as a sentence
    table: how `rows` are shown; `sorted_rows`: among how many they are the first
    is_part: the repository has others besides these
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
    table: TagTable
    sorted_rows: int
    is_part: bool
    pulls: PullsSection | None = None

    @property
    def has_verdicts(self) -> bool:
        """Whether a policy has anything to say of a row."""
        return any(row.verdict for row in self.rows)

    @property
    def has_bases(self) -> bool:
        """Whether it is known of a row what its image stands on."""
        return any(row.base for row in self.rows)

    @property
    def has_choice(self) -> bool:
        """Whether there are two images to compare."""
        return sum(bool(row.choice) for row in self.rows) > 1


def repository_page(
    report: RepositoryReport,
    tags: TagGroups,
    now: datetime,
    registry: RegistryReport | None = None,
    violations: Sequence[ViolationReport] = (),
    reclaimable: Freed | None = None,
    limits: Mapping[str, int] | None = None,
    table: TagTable = NEWEST_FIRST,
) -> RepositoryPage:
    """The page; bars of its tags share one scale.

    reclaimable: what deleting the tags frees that no rule of `reclaim` keeps
    limits: what each of the tags may weigh, compressed, by its name
    """
    newest_bytes = report.newest_compressed_bytes
    change = _growth(newest_bytes, report.baseline_compressed_bytes)
    absent = _absent(report)
    newest = absent
    if newest_bytes is not None:
        confidence = report.newest_compressed_confidence
        newest = marked(Amount(newest_bytes), confidence, report.newest_claimed_bytes)
    groups = tags.page.items
    largest = max((_shown_bytes(g.tags[0], table) or 0 for g in groups), default=0)
    rows = [
        _row(group, before, tags.unknown, largest, (limits or {}), now, table)
        for group, before in _with_before(tags)
    ]
    return RepositoryPage(
        report=report,
        absent=absent,
        newest=newest,
        growth=_growth_text(change),
        growth_css=_growth_css(change),
        storage=repository_storage(report) if report.state != "deleted" else None,
        reclaimable_bytes=None if reclaimable is None else reclaimable.freed_bytes,
        frees=what_exclusive_frees(
            report, registry.storage_scope_kind if registry else None, tags.unknown
        ),
        banners=_banners(report, registry, now),
        rows=table.sorted(rows),
        violations=items(violations),
        table=table,
        sorted_rows=len(rows),
        is_part=tags.page.next_cursor is not None,
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


def _with_before(tags: TagGroups) -> list[tuple[TagGroup, TagReport | None]]:
    """The rows, each with the image that was before it: the next one in the table that
    is live, for the same platform and with a tag of the same stream."""
    before: dict[tuple[str, str | None], TagReport] = {}
    behind = () if tags.behind is None else (tags.behind,)
    found = []
    for group in reversed((*tags.page.items, *behind)):
        streams = {(stream_of(each.name), each.platform): each for each in group.tags}
        found.append((group, next((before[s] for s in streams if s in before), None)))
        tag = group.tags[0]
        if tag.deleted_at is None and tag.compressed_bytes is not None:
            before |= streams
    return found[len(behind) :][::-1]


def _shown_bytes(tag: TagReport, table: TagTable) -> int | None:
    return tag.uncompressed_bytes if table.is_on_disk else tag.compressed_bytes


def _row(
    group: TagGroup,
    before: TagReport | None,
    unknown: str | None,
    largest: int,
    limits: Mapping[str, int],
    now: datetime,
    table: TagTable,
) -> TagRow:
    tag = group.tags[0]
    limit = limits.get(tag.name) if tag.deleted_at is None else None
    note, note_title = _note(tag, now)
    word = "none" if tag.kind in _NOT_IMAGES else "not yet"
    size = compressed(tag, word, note_title or "It is not read yet")
    on_disk = amount_of_row(tag.uncompressed_bytes, tag.uncompressed_confidence)
    others = group.count - len(group.tags)
    frees = Amount(group.freed_bytes)
    if tag.deleted_at is not None:
        frees = Amount(None, word="gone", reason="The tag is deleted already")
    elif group.freed_bytes is None:
        frees = Amount(None, word="unknown", reason=_sentence(unknown))
    return TagRow(
        tag=tag,
        tags=group.tags,
        others=others,
        frees=frees,
        compressed=size,
        uncompressed=on_disk,
        bar=_bar_on_disk(on_disk, largest)
        if table.is_on_disk and size.number is not None
        else _bar(tag, group.base, largest, limit),
        note=note,
        note_title=note_title,
        verdict=_verdict(tag, limit),
        change=_change(tag, before, table),
        base=name_in_from(group.base.reference) if group.base else "",
        is_relative=group.base is not None and group.base.relation == "relative",
        platforms=[str(each).removeprefix("linux/") for each in group.platforms],
        choice=""
        if tag.deleted_at is not None or tag.compressed_bytes is None
        else tag.name,
    )


def _bar(
    tag: TagReport, base: BaseInWords | None, largest: int, limit: int | None
) -> StackedBar:
    size = tag.compressed_bytes or 0
    whole = row_share(size, largest)
    of_base = 0.0
    if size and base is not None and base.claimed_bytes:
        of_base = round(whole * min(base.claimed_bytes / size, 1.0), 2)
    is_within = bool(size) and limit is not None and limit <= largest
    place = row_share(limit or 0, largest) if is_within else None
    return StackedBar(of_base, round(whole - of_base, 2), place)


def _bar_on_disk(size: Amount, largest: int) -> StackedBar | None:
    """What of it is the base's is not known, and no limit is drawn: those are of
    compressed bytes."""
    return (
        None if size.number is None else StackedBar(0, row_share(size.number, largest))
    )


def _verdict(tag: TagReport, limit: int | None) -> Verdict | None:
    """By the limits that a crawl found it over, and the compressed bytes."""
    share = None
    if limit and tag.compressed_bytes is not None:
        share = tag.compressed_bytes / limit * 100
    over = f"Over {', '.join(tag.over)}" if tag.over else ""
    if share is not None and share > 100:
        return Verdict(f"over {_percent(share)} %", "over", over or "Over its limit")
    if over:
        return Verdict("over", "over", over)
    if share is None or limit is None:
        return None
    title = f"Of max_compressed, {format_bytes(limit)}"
    if round(share) >= _NEAR_PERCENT:
        return Verdict(f"near {_percent(share)} %", "near", title)
    return Verdict(f"within {_percent(share)} %", "ok", title)


def _percent(share: float) -> str:
    """Never 100 for what is over or under that."""
    if share == 100:
        return "100"
    return f"{max(share, 101):,.0f}" if share > 100 else f"{min(share, 99):.0f}"


def _change(
    tag: TagReport, before: TagReport | None, table: TagTable
) -> RowChange | None:
    if (
        before is None
        or before.compressed_bytes is None
        or tag.compressed_bytes is None
    ):
        return None
    was, now = _shown_bytes(before, table), _shown_bytes(tag, table)
    if was is None or now is None:
        return RowChange(None, before.name, "")
    changed = now - was
    share = _growth(now, was)
    return RowChange(changed, before.name, _growth_css(share) if changed else "")


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
