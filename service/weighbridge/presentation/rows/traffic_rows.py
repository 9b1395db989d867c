"""Pulls and costs as JSON objects: the keys of the API, of CSV and of lists. Amounts of
money are texts, `12.50`, so that no reader makes binary fractions of them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from weighbridge.domain.report.traffic import TrafficReport
from weighbridge.domain.traffic.costs import (
    CostRow,
    MonthCosts,
    Per,
    Prices,
    pull_cost,
)
from weighbridge.domain.traffic.months import month_name
from weighbridge.presentation.rows.report_rows import keys_of, row_of

_COSTS: Final = ("pull_cost_low", "pull_cost_high")
TRAFFIC_KEYS: Final = (*keys_of(TrafficReport), *_COSTS, "currency")
COST_KEYS: Final = keys_of(CostRow)


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
