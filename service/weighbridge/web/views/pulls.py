"""The section about pulls on the page of a repository: month by month, at least and at
most."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from weighbridge.domain.report.traffic import TrafficReport, UnknownTraffic
from weighbridge.domain.traffic.costs import Prices, pull_cost
from weighbridge.domain.traffic.pulls import Counted
from weighbridge.presentation.forms.phrases import UNKNOWN
from weighbridge.presentation.rows.traffic_rows import money_range
from weighbridge.web.views.charts import row_share
from weighbridge.web.views.words import Amount, duration

WHY_UNKNOWN: Final[Mapping[UnknownTraffic, str]] = {
    "": "",
    "not_counted": "Its registry counts no pulls",
    "first_count": "There are no two counts in this month: nothing can be subtracted",
    "counter_fell": "The count is lower than before: the month stays unknown",
    "size_unknown": "No image was crawled when these pulls were counted",
}
_COUNTED: Final[Mapping[Counted, str]] = {
    "manifests": "manifests that were fetched: one for a pull of an image, two for one"
    " of an index",
    "actions": "actions: pulls, pushes and other changes",
}


class MonthRow(Struct, frozen=True):
    """One month. cost: "" without a price; bar: percent of the largest month"""

    month: str
    counted: int | None
    low: Amount
    high: Amount
    bar: float
    cost: str
    title: str


class PullsSection(Struct, frozen=True):
    """counted: what the registry counts, and over which time; number: its last count,
    at `counted_at`; currency: "" without a price"""

    rows: Sequence[MonthRow]
    counted: str
    number: int
    counted_at: datetime | None
    last_pull_at: datetime | None
    currency: str


def pulls_section(
    now: TrafficReport, months: Sequence[TrafficReport], prices: Prices | None
) -> PullsSection | None:
    """None where the registry counts no pulls. months: the latest first"""
    if now.registry_pulls is None or now.counts is None:
        return None
    shown = months or [now]
    priced = prices if prices is not None and prices.pulled_gb is not None else None
    largest = max((row.traffic_high_bytes or 0 for row in shown), default=0)
    window = now.registry_window_s
    span = (
        "since the repository was made"
        if window is None
        else f"in the last {duration(window)}"
    )
    return PullsSection(
        rows=[_row(row, largest, priced) for row in shown],
        counted=f"{_COUNTED[now.counts]}, {span}",
        number=now.registry_pulls,
        counted_at=now.registry_pulls_at,
        last_pull_at=now.last_pull_at,
        currency="" if priced is None else priced.currency,
    )


def _row(row: TrafficReport, largest: int, prices: Prices | None) -> MonthRow:
    why = WHY_UNKNOWN[row.reason]
    low, high = row.traffic_low_bytes, row.traffic_high_bytes
    cost = money_range(pull_cost(low, prices), pull_cost(high, prices)) or UNKNOWN
    title = ""
    if row.counted_from is not None and row.counted_until is not None:
        title = f"counted from {_minute(row.counted_from)}"
        title += f" to {_minute(row.counted_until)} UTC"
    return MonthRow(
        month=row.month,
        counted=row.pulls,
        low=Amount(low, reason=why),
        high=Amount(high, reason=why),
        bar=row_share(high or 0, largest),
        cost="" if prices is None else cost,
        title=title,
    )


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
