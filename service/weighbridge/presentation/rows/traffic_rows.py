"""Pulls and costs as JSON objects: the keys of the API, of CSV and of lists. Amounts of
money are texts, `12.50`, so that no reader makes binary fractions of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from weighbridge.domain.report.inventory import Page
from weighbridge.domain.report.traffic import KnownReason, TrafficReport
from weighbridge.domain.traffic.costs import (
    CostRow,
    MonthCosts,
    Per,
    Prices,
    pull_cost,
)
from weighbridge.domain.traffic.months import month_name
from weighbridge.domain.traffic.pulls import Counted
from weighbridge.presentation.rows.report_rows import keys_of, page_of_rows, row_of


@dataclass(frozen=True, slots=True)
class TrafficRow:
    """What was pulled of one repository in a month (UTC). Bytes and costs are at least
    and at most; null: not known, and `reason` says why.

    `pulls` is what the registry counted in the month, `counts` what that is;
    `registry_pulls` what it said last, of `registry_window_s` seconds or, null, since
    the repository was made. Costs are null without a price.
    """

    registry: str
    repository: str
    month: str
    pulls: int | None
    counts: Counted | None
    traffic_low_bytes: int | None
    traffic_high_bytes: int | None
    reason: KnownReason | None
    is_estimate: bool
    counted_from: datetime | None
    counted_until: datetime | None
    registry_pulls: int | None
    registry_window_s: int | None
    registry_pulls_at: datetime | None
    last_pull_at: datetime | None
    pull_cost_low: str | None
    pull_cost_high: str | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class CostTotal:
    """What repositories stored and pulled in a month, and what it costs. Amounts are
    decimal numbers as texts; null: no price, or nothing is known.

    `stored_bytes` is the average of the days that were noted, which are what
    `storage_cost` is of. Of `pulls_unknown` repositories no pulls are known: they are
    in no cost of pulls.
    """

    repositories: int
    stored_bytes: int | None
    storage_cost: str | None
    traffic_low_bytes: int | None
    traffic_high_bytes: int | None
    pulls_unknown: int
    pull_cost_low: str | None
    pull_cost_high: str | None


@dataclass(frozen=True, slots=True)
class OwnerCost(CostTotal):
    """The same of one owner: a team (null: of none), a project, a registry or a
    repository."""

    owner: str | None


@dataclass(frozen=True, slots=True)
class CostsAnswer:
    """Estimates of one month, those that cost most first. The rows of all pages add up
    to the total. `days` of `days_in_month` were noted."""

    items: list[OwnerCost]
    next_cursor: str | None
    month: str
    per: Per
    currency: str | None
    days: int
    days_in_month: int
    is_estimate: Literal[True]
    total: CostTotal


TRAFFIC_KEYS: Final = keys_of(TrafficRow)
_OF_COSTS: Final = keys_of(CostTotal)
COST_KEYS: Final = ("owner", *_OF_COSTS)


def traffic_json(report: TrafficReport, prices: Prices | None) -> dict[str, object]:
    """What was pulled of one repository in a month, with what that cost."""
    low, high = report.traffic_low_bytes, report.traffic_high_bytes
    return row_of(
        TRAFFIC_KEYS,
        report,
        pull_cost_low=money(pull_cost(low, prices)),
        pull_cost_high=money(pull_cost(high, prices)),
        currency=None if prices is None else prices.currency,
    )


def cost_json(row: CostRow) -> dict[str, object]:
    """What one owner cost in a month. `owner` is null for what is no team's."""
    amounts = ("storage_cost", "pull_cost_low", "pull_cost_high")
    given = {key: money(getattr(row, key)) for key in amounts}
    return row_of(COST_KEYS, row, owner=row.owner or None, **given)


def costs_page(page: Page[CostRow], beside: dict[str, object]) -> dict[str, object]:
    """One page of the owners of a month."""
    return page_of_rows(page, cost_json) | beside


def costs_beside(
    costs: MonthCosts, per: Per, month: int, prices: Prices | None
) -> dict[str, object]:
    """What stands beside the rows of a month."""
    total = cost_json(costs.total)
    del total["owner"]
    return {
        "month": month_name(month),
        "per": per,
        "currency": None if prices is None else prices.currency,
        "days": costs.days,
        "days_in_month": costs.days_in_month,
        "is_estimate": True,
        "total": total,
    }


def money(amount: Decimal | None) -> str | None:
    """`12.50`, for programs."""
    return None if amount is None else f"{amount:.2f}"


def amount_text(amount: Decimal | None) -> str | None:
    """`1,312.50`, for people."""
    return None if amount is None else f"{amount:,.2f}"


def money_range(low: Decimal | None, high: Decimal | None) -> str | None:
    """`0.50 to 1,312.50`; one amount where both are the same."""
    if low is None or high is None or low == high:
        return amount_text(low)
    return f"{amount_text(low)} to {amount_text(high)}"


def cost_range(row: CostRow) -> str | None:
    """Of storage and pulls together; None where neither is known."""
    storage = row.storage_cost
    low, high = row.pull_cost_low, row.pull_cost_high
    known: Sequence[Decimal | None] = (storage, low)
    if all(amount is None for amount in known):
        return None
    nothing = Decimal(0)
    first = storage or nothing
    return money_range(first + (low or nothing), first + (high or nothing))
