"""What `weighbridge top --by traffic` reads and prints: the repositories of which most
may have been pulled in a month."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

from weighbridge.bootstrap.databases import read_database
from weighbridge.config import Settings
from weighbridge.domain.report.traffic import TrafficReport, UnknownTraffic
from weighbridge.domain.text.units import format_bytes
from weighbridge.domain.traffic.costs import Prices, pull_cost
from weighbridge.domain.traffic.months import month_name, month_of, parse_month
from weighbridge.presentation.forms.phrases import UNKNOWN, minute, plural
from weighbridge.presentation.forms.screen import Output, Screen, bar
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.presentation.rows.traffic_rows import (
    TRAFFIC_KEYS,
    money_range,
    traffic_json,
)
from weighbridge.store.reports.traffic import TrafficQuery, traffic_page

_NONE: Final = (
    "no pulls are known: Docker Hub, Harbor and Quay count them, and a crawl keeps what"
    " they counted"
)
_WHY: Final[Mapping[UnknownTraffic, str]] = {
    "": "",
    "not_counted": "its registry counts no pulls",
    "first_count": "no two counts in this month: nothing to subtract",
    "counter_fell": "the count has fallen",
    "size_unknown": "the size of its images was not known",
}
_BAR: Final = 12

_Column = Column[TrafficReport]


def top(
    settings: Settings,
    output: Output,
    screen: Screen,
    *,
    by: str,
    limit: int,
    registry: str | None,
    month: str | None = None,
) -> str:
    """month: `2026-11`; None: this one

    Raises UsageError(unknown_registry, invalid_month), StoreError(no_database).
    """
    number = month_of(datetime.now(UTC)) if month is None else parse_month(month)
    query = TrafficQuery(number, registry=registry, limit=limit)
    with read_database(settings, registry) as connection:
        rows = traffic_page(connection, query).items
    return printed(rows, output, screen, number, settings.prices.prices)


def printed(
    rows: Sequence[TrafficReport],
    output: Output,
    screen: Screen,
    month: int,
    prices: Prices | None,
) -> str:
    """One row a repository, with a bar of the most that may have been pulled."""
    table = Table(
        columns=_columns(rows, screen, prices),
        keys=TRAFFIC_KEYS,
        as_object=partial(traffic_json, prices=prices),
        empty=_NONE,
    )
    return table.printed(rows, output, screen, foot=_foot(rows, month) if rows else [])


def _columns(
    rows: Sequence[TrafficReport], screen: Screen, prices: Prices | None
) -> list[_Column]:
    most = max((row.traffic_high_bytes or 0 for row in rows), default=0)
    priced = prices if prices is not None and prices.pulled_gb is not None else None

    def size(n: int | None) -> str:
        return UNKNOWN if n is None else format_bytes(n, iec=screen.iec)

    def cost(row: TrafficReport) -> str:
        low, high = (
            pull_cost(n, priced)
            for n in (row.traffic_low_bytes, row.traffic_high_bytes)
        )
        return money_range(low, high) or UNKNOWN

    of_cost = (
        [_Column("Cost", cost, "number", rank=3, unit=priced.currency)]
        if (priced)
        else []
    )
    return [
        _Column("", lambda row: "  ", rank=None),
        _Column("At least", lambda row: size(row.traffic_low_bytes), "number", rank=2),
        _Column(
            "At most", lambda row: size(row.traffic_high_bytes), "number", rank=None
        ),
        _Column(
            "",
            lambda row: bar(
                row.traffic_high_bytes or 0, most, _BAR, ascii=screen.ascii
            ),
            rank=-1,
            role="own",
        ),
        _Column("Counted", _counted, "number", rank=1),
        *of_cost,
        _Column("Repository", lambda row: f"{row.registry}/{row.repository}", "name"),
        _Column("Last pull", lambda row: minute(row.last_pull_at), "words", rank=0),
        _Column("", _remark, "line"),
    ]


def _counted(row: TrafficReport) -> str:
    return UNKNOWN if row.pulls is None else f"{row.pulls:,}"


def _remark(row: TrafficReport) -> str:
    if row.reason:
        return _WHY[row.reason]
    return "with pushes and changes" if row.counts == "actions" else ""


def _foot(rows: Sequence[TrafficReport], month: int) -> list[str]:
    count = plural(len(rows), "repository", "repositories")
    known = [row for row in rows if row.counted_from is not None]
    begins = [row.counted_from for row in known if row.counted_from is not None]
    text = f"  {count}, {month_name(month)} (UTC)"
    if begins:
        text += f", counted from {minute(min(begins))}"
    return [
        text,
        "  estimates: what the registry counts as pulls, times the lightest and the"
        " heaviest image of the repository; layers that were there already are not"
        " moved again",
    ]
