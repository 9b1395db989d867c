"""What `weighbridge costs` reads and prints: what each team, project, registry or
repository stored and pulled in a month, and what that costs."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from weighbridge.bootstrap.databases import read_database
from weighbridge.config import Settings
from weighbridge.domain.policy.policy import PolicySet
from weighbridge.domain.text.units import format_bytes
from weighbridge.domain.traffic.costs import (
    CostRow,
    MonthCosts,
    Per,
    Prices,
    month_costs,
    owner_of,
)
from weighbridge.domain.traffic.months import month_name, month_of, parse_month
from weighbridge.presentation.forms.phrases import NOTHING_CRAWLED, UNKNOWN, plural
from weighbridge.presentation.forms.screen import Output, Screen
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.presentation.rows.traffic_rows import (
    COST_KEYS,
    amount_text,
    cost_json,
    cost_range,
    costs_beside,
    money_range,
)
from weighbridge.store.reports.traffic import month_uses

_TITLES: Final = {
    "team": "Team",
    "project": "Project",
    "registry": "Registry",
    "repository": "Repository",
}
NOBODY: Final = "no team"

_Column = Column[CostRow]


def costs(
    settings: Settings,
    policies: PolicySet,
    output: Output,
    screen: Screen,
    *,
    per: Per,
    month: str | None,
    registry: str | None,
    limit: int,
) -> str:
    """month: `2026-11`; None: this one

    Raises UsageError(unknown_registry, invalid_month), StoreError(no_database).
    """
    now = datetime.now(UTC)
    number = month_of(now) if month is None else parse_month(month)
    prices = settings.prices.prices
    with read_database(settings, registry) as connection:
        uses = month_uses(connection, number, now, registry)
        found = month_costs(uses, number, prices, owner_of(per, policies))
    return printed(
        found, output, screen, per=per, month=number, prices=prices, limit=limit
    )


def printed(
    found: MonthCosts,
    output: Output,
    screen: Screen,
    *,
    per: Per,
    month: int,
    prices: Prices | None,
    limit: int = 1_000,
) -> str:
    """One row an owner; the total is of all, however many are shown."""
    rows = found.rows[:limit]
    table = Table(
        columns=_columns(per, screen, prices),
        keys=COST_KEYS,
        as_object=cost_json,
        empty=NOTHING_CRAWLED,
    )
    foot = _foot(found, len(rows), per, screen, month, prices) if rows else []
    beside = costs_beside(found, per, month, prices)
    return table.printed(rows, output, screen, foot=foot, beside=beside)


def _columns(per: Per, screen: Screen, prices: Prices | None) -> list[_Column]:
    def size(read: Callable[[CostRow], int | None]) -> Callable[[CostRow], str]:
        def cell(row: CostRow) -> str:
            n = read(row)
            return UNKNOWN if n is None else format_bytes(n, iec=screen.iec)

        return cell

    found = [
        _Column("", lambda row: "  ", rank=None),
        _Column("Stored", size(lambda row: row.stored_bytes), "number", rank=4),
        _Column(
            "Pulled, least", size(lambda row: row.traffic_low_bytes), "number", rank=1
        ),
        _Column(
            "Pulled, most", size(lambda row: row.traffic_high_bytes), "number", rank=2
        ),
        _Column("Repositories", lambda row: f"{row.repositories:,}", "number", rank=0),
        _Column(_TITLES[per], lambda row: row.owner or NOBODY, "name"),
        _Column("", _remark, "line"),
    ]
    if prices is not None:
        found[4:4] = _amounts(prices)
    return found


def _amounts(prices: Prices) -> list[_Column]:
    currency = prices.currency
    found = []
    if prices.stored_gb_month is not None:
        found.append(
            _Column(
                "Storage",
                lambda row: amount_text(row.storage_cost) or UNKNOWN,
                "number",
                rank=5,
                unit=currency,
            )
        )
    if prices.pulled_gb is not None:
        found.append(
            _Column(
                "Pulls",
                lambda row: (
                    money_range(row.pull_cost_low, row.pull_cost_high) or UNKNOWN
                ),
                "number",
                rank=6,
                unit=currency,
            )
        )
    if len(found) == 2:
        found.append(
            _Column(
                "Together",
                lambda row: cost_range(row) or UNKNOWN,
                "number",
                rank=None,
                unit=currency,
            )
        )
    return found


def _remark(row: CostRow) -> str:
    if not row.pulls_unknown:
        return ""
    count = plural(row.pulls_unknown, "repository", "repositories")
    return f"without pulls of {count}"


def _foot(
    found: MonthCosts,
    shown: int,
    per: Per,
    screen: Screen,
    month: int,
    prices: Prices | None,
) -> Sequence[str]:
    whose = _owners(found.rows, per)
    more = f", the first {shown:,}" if shown < len(found.rows) else ""
    total = found.total
    stored = total.stored_bytes
    parts = [f"  {whose}{more}, {month_name(month)} (UTC)"]
    if stored is not None:
        parts.append(f"{format_bytes(stored, iec=screen.iec)} stored")
    cost = cost_range(total)
    if cost is not None and prices is not None:
        parts.append(f"{cost} {prices.currency} in all")
    days = f"{found.days} of {found.days_in_month} days"
    lines = [
        ", ".join(parts),
        f"  estimates: stored on average and paid for {days} that were noted; what is"
        " shared is divided among those that share it; pulls between the lightest and"
        " the heaviest image",
    ]
    if prices is None:
        lines.append("  no costs: prices of the configuration are not set")
    return lines


def _owners(rows: Sequence[CostRow], per: Per) -> str:
    named = sum(bool(row.owner) for row in rows)
    if not named:
        return f"all of {NOBODY}"
    several = f"{per.removesuffix('y')}ies" if per.endswith("y") else f"{per}s"
    rest = f" and what is of {NOBODY}" if named < len(rows) else ""
    return plural(named, per, several) + rest
