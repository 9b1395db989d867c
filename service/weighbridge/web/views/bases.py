"""The pages of bases: how much of the fleet stands on each, and what is on one."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from weighbridge.domain.image.digest import short
from weighbridge.domain.report.base import BaseImageReport, BaseReport
from weighbridge.domain.report.inventory import Page
from weighbridge.presentation.forms.phrases import plural
from weighbridge.store.reports.bases import BaseTotals
from weighbridge.web.views.base_savings import SlimmerLine, slimmer_lines, why_nothing
from weighbridge.web.views.charts import StackedBar
from weighbridge.web.views.words import Amount, ago

_NOT_CRAWLED = "Its repository is not crawled: name it in bases.repositories"


class BaseLine(Struct, frozen=True):
    """One base in the table. sub: what is said below its name"""

    report: BaseReport
    name: str
    compressed: Amount
    weighed: Amount
    own: Amount
    stored: Amount
    bar: StackedBar
    badge: str
    badge_title: str
    badge_icon: str
    sub: str


class BasesView(Struct, frozen=True):
    """The whole page.

    repositories: that have a newest image, or could have one
    share:        percent of the bytes on known bases that are the base's
    bar:          the same as a picture
    newest_bytes: what one pull of every newest image moves, saved_share: how many
                  percent of it slimmer bases save
    most:         the base by which most is saved; None: nothing is
    """

    totals: BaseTotals
    repositories: int
    share: int
    bar: StackedBar
    rows: Sequence[BaseLine]
    slimmer: Sequence[SlimmerLine]
    newest_bytes: int
    saved_share: int
    most: BaseReport | None
    counted_at: datetime | None
    is_crawled: bool


class BaseImageLine(Struct, frozen=True):
    """One image on a base. ref: of its page; tag: "" where only its digest is known"""

    report: BaseImageReport
    ref: str
    tag: str
    more_tags: int
    bar: StackedBar
    badge: str
    badge_title: str


class BaseView(Struct, frozen=True):
    """One base with a page of what stands on it. why: there is no slimmer variant"""

    line: BaseLine
    why: str
    rows: Sequence[BaseImageLine]


def bases_view(
    page: Page[BaseReport],
    totals: BaseTotals,
    most: BaseReport | None,
    of_registries: Collection[Mapping[str, int]],
    counted_at: datetime | None,
    now: datetime,
    *,
    is_crawled: bool,
) -> BasesView:
    """of_registries: what the repositories of each come to; most: see `BasesView`"""
    newest = sum(each["newest"] for each in of_registries)
    largest = max((row.weighed_bytes for row in page.items), default=0)
    whole = totals.weighed_bytes
    return BasesView(
        totals=totals,
        repositories=sum(each["repositories"] for each in of_registries),
        share=round(100 * totals.base_bytes / whole) if whole else 0,
        bar=_bar(totals.base_bytes, whole, whole),
        rows=[_line(row, largest, now) for row in page.items],
        slimmer=slimmer_lines(page.items),
        newest_bytes=newest,
        saved_share=round(100 * totals.saved_bytes / newest) if newest else 0,
        most=most if most is not None and most.saved_bytes else None,
        counted_at=counted_at,
        is_crawled=is_crawled,
    )


def base_view(
    report: BaseReport, page: Page[BaseImageReport], now: datetime
) -> BaseView:
    """One base."""
    largest = max((row.compressed_bytes for row in page.items), default=0)
    return BaseView(
        line=_line(report, report.weighed_bytes, now),
        why=why_nothing(report),
        rows=[_image(row, largest, now) for row in page.items],
    )


def _line(row: BaseReport, largest: int, now: datetime) -> BaseLine:
    badge, title, sign = _badge(row, now)
    return BaseLine(
        report=row,
        name=row.reference.removeprefix("library/"),
        compressed=_amount(row.compressed_bytes),
        weighed=_amount(None if row.builds is None else row.weighed_bytes),
        own=_amount(row.own_bytes),
        stored=_amount(row.stored_bytes),
        bar=_bar(row.base_bytes or 0, row.weighed_bytes, largest),
        badge=badge,
        badge_title=title,
        badge_icon=sign,
        sub=_sub(row),
    )


def _amount(number: int | None) -> Amount:
    return Amount(number, reason="" if number is not None else _NOT_CRAWLED)


def _badge(row: BaseReport, now: datetime) -> tuple[str, str, str]:
    """A word, what it means, and its icon."""
    if row.state == "outdated":
        since = "" if row.outdated_since is None else ago(row.outdated_since, now)
        title = f"The name has led to another build since {since or 'a while ago'}"
        return "outdated", title, "near"
    if row.state == "deleted":
        return "deleted", "Its tag is deleted: FROM finds nothing there", "over"
    if row.state == "unknown":
        return "not crawled", _NOT_CRAWLED, "unk"
    return "current", "All images on it stand on what the name leads to now", "ok"


def _sub(row: BaseReport) -> str:
    parts = []
    if row.platform is not None:
        parts.append(row.platform)
    if row.builds is not None and row.builds > 1:
        parts.append(f"{row.builds:,} builds")
    if row.claimed_images:
        parts.append(f"named by {plural(row.claimed_images, 'further annotation')}")
    return " · ".join(parts)


def _bar(base: int, weighed: int, largest: int) -> StackedBar:
    """Its parts sum to the bar: what is next to nothing is drawn as nothing."""
    if largest <= 0:
        return StackedBar(0.0, 0.0)
    of_base = round(min(base, weighed) / largest * 100, 2)
    whole = round(min(1.0, weighed / largest) * 100, 2)
    return StackedBar(of_base, round(whole - of_base, 2))


def _image(row: BaseImageReport, largest: int, now: datetime) -> BaseImageLine:
    name = f"{row.registry}/{row.repository}"
    tag = row.tags[0] if row.tags else ""
    badge = title = ""
    if row.base_state == "outdated":
        since = "" if row.base_left_at is None else ago(row.base_left_at, now)
        badge, title = "outdated", f"The base's name leads elsewhere since {since}"
    elif row.base_state == "deleted":
        badge, title = "base deleted", "The base's tag is deleted"
    elif row.base_state == "unknown":
        badge, title = "not crawled", _NOT_CRAWLED
    return BaseImageLine(
        report=row,
        ref=f"{name}:{tag}" if tag else f"{name}@{row.digest}",
        tag=tag or short(row.digest),
        more_tags=max(0, len(row.tags or ()) - 1),
        bar=_bar(row.compressed_bytes - row.own_bytes, row.compressed_bytes, largest),
        badge=badge,
        badge_title=title,
    )
