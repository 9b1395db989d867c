"""What storing and pulling costs: amounts of money that add up to the cent.

Every amount is an estimate: a price for each GB stored for a month, and for each GB
pulled, over what was noted once a day and what the registry counted. Decimal numbers,
never binary ones.
"""

from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Final, Literal, TypeAlias, get_args

from msgspec import Struct

from weighbridge.domain.policy.policy import PolicySet
from weighbridge.domain.traffic.months import days_in
from weighbridge.domain.traffic.shares import divided

GB: Final = 10**9
_CENTS: Final = 100
_DIGITS: Final = 60
"""So many that no product of a price and of all bytes there are is rounded."""

Per: TypeAlias = Literal["team", "project", "registry", "repository"]
"""Whose costs: those of a team's policies, of the first part of the name, ..."""
PERS: Final[tuple[Per, ...]] = get_args(Per)


class Prices(Struct, frozen=True):
    """None: that costs nothing that is to be shown. currency: as it is to be written"""

    currency: str
    stored_gb_month: Decimal | None = None
    pulled_gb: Decimal | None = None


class MonthUse(Struct, frozen=True):
    """What one repository stored, and what was pulled of it, in a month.

    tag:       of its newest image, "" where it has none: policies may ask for it
    byte_days: the sum of what it stored on each day; None where no day was noted
    days:      how many days were
    traffic_low_bytes, traffic_high_bytes: what its pulls moved at least and at most
    """

    registry: str
    repository: str
    tag: str
    byte_days: int | None
    days: int
    traffic_low_bytes: int | None
    traffic_high_bytes: int | None


class CostRow(Struct, frozen=True):
    """What one owner stored and pulled in a month, and what it costs. None: no price,
    or nothing is known.

    owner:         team, project, registry or repository; "" for what is no team's
    stored_bytes:  what it stored on average over the days that were noted
    storage_cost:  of the days that were noted
    pull_cost_low, pull_cost_high: between these is what pulls cost
    pulls_unknown: of so many repositories no pulls are known in this month: they are in
                   no cost of pulls
    """

    owner: str
    repositories: int
    stored_bytes: int | None
    storage_cost: Decimal | None
    traffic_low_bytes: int | None
    traffic_high_bytes: int | None
    pulls_unknown: int
    pull_cost_low: Decimal | None
    pull_cost_high: Decimal | None


def pull_cost(moved_bytes: int | None, prices: Prices | None) -> Decimal | None:
    """What pulling so many bytes costs; None where one of the two is not known."""
    if moved_bytes is None or prices is None or prices.pulled_gb is None:
        return None
    return _money(_cents(moved_bytes, prices.pulled_gb, 1))


class MonthCosts(Struct, frozen=True):
    """rows: those that cost the most first; total: what they add up to. days: how many
    days of the month were noted, days_in_month: how many it has"""

    rows: tuple[CostRow, ...]
    total: CostRow
    days: int
    days_in_month: int


class _Sum(Struct):
    """The sums over an owner's repositories."""

    repositories: int = 0
    byte_days: int = 0
    days: int = 0
    low: int = 0
    high: int = 0
    pulls_unknown: int = 0

    def add(self, use: MonthUse) -> None:
        self.repositories += 1
        self.byte_days += use.byte_days or 0
        self.days = max(self.days, use.days)
        if use.traffic_high_bytes is None or use.traffic_low_bytes is None:
            self.pulls_unknown += 1
        else:
            self.low += use.traffic_low_bytes
            self.high += use.traffic_high_bytes

    @property
    def knows_pulls(self) -> bool:
        return self.pulls_unknown < self.repositories


def month_costs(
    uses: Iterable[MonthUse],
    month: int,
    prices: Prices | None,
    owner_of: Callable[[MonthUse], str],
) -> MonthCosts:
    """The uses of all repositories, summed up by their owners. The costs of owners add
    up to those of all, to the cent."""
    sums: dict[str, _Sum] = {}
    whole = _Sum()
    for use in uses:
        sums.setdefault(owner_of(use), _Sum()).add(use)
        whole.add(use)
    owners = sorted(sums)
    stored = [sums[owner].byte_days for owner in owners]
    low = [sums[owner].low for owner in owners]
    beyond = [sums[owner].high - sums[owner].low for owner in owners]
    of_storage = prices.stored_gb_month if prices else None
    of_pulls = prices.pulled_gb if prices else None
    per_day = days_in(month)
    # Of pulls first what they cost at least, then what they may cost beyond that: so
    # that no rounding turns the two round.
    costs = (
        _amounts(stored, of_storage, per_day),
        _amounts(low, of_pulls),
        _amounts(beyond, of_pulls),
    )
    rows = [
        _row(owner, sums[owner], *amounts)
        for owner, *amounts in zip(owners, *costs, strict=True)
    ]
    total = _row("", whole, *(_added(amounts) for amounts in costs))
    rows.sort(key=_weight, reverse=True)
    return MonthCosts(tuple(rows), total, whole.days, per_day)


def _row(
    owner: str,
    summed: _Sum,
    storage: Decimal | None,
    low: Decimal | None,
    beyond: Decimal | None,
) -> CostRow:
    high = None if low is None or beyond is None else low + beyond
    is_noted, knows_pulls = summed.days > 0, summed.knows_pulls
    return CostRow(
        owner=owner,
        repositories=summed.repositories,
        stored_bytes=summed.byte_days // summed.days if is_noted else None,
        storage_cost=storage if is_noted else None,
        traffic_low_bytes=summed.low if knows_pulls else None,
        traffic_high_bytes=summed.high if knows_pulls else None,
        pulls_unknown=summed.pulls_unknown,
        pull_cost_low=low if knows_pulls else None,
        pull_cost_high=high if knows_pulls else None,
    )


def _amounts(
    parts: list[int], price: Decimal | None, days: int = 1
) -> list[Decimal | None]:
    """What the parts cost: what all together do, divided."""
    if price is None:
        return [None] * len(parts)
    cents = _cents(sum(parts), price, days)
    return [_money(part) for part in divided(cents, parts)]


def _added(amounts: list[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return None if len(known) < len(amounts) else sum(known, _money(0))


def _cents(units: int, price: Decimal, days: int) -> int:
    with localcontext() as context:
        context.prec = _DIGITS
        exact = Decimal(units) * price * _CENTS / (GB * days)
        return int(exact.to_integral_value(ROUND_HALF_EVEN))


def _money(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)


def _weight(row: CostRow) -> tuple[Decimal, int, int]:
    cost = (row.storage_cost or Decimal(0)) + (row.pull_cost_high or Decimal(0))
    return cost, row.stored_bytes or 0, row.traffic_high_bytes or 0


def project_of(repository: str) -> str:
    """The first part of its name; what has only one is its own."""
    return repository.partition("/")[0]


def owner_of(per: Per, policies: PolicySet) -> Callable[[MonthUse], str]:
    """Whose a repository is. Of teams: whose its newest image is by the policies that
    are in force now, of past months too; "" for nobody's."""
    if per == "team":
        return lambda use: (
            policies.limits_of(use.registry, use.repository, use.tag).team or ""
        )
    if per == "project":
        return lambda use: f"{use.registry}/{project_of(use.repository)}"
    if per == "registry":
        return lambda use: use.registry
    return lambda use: f"{use.registry}/{use.repository}"
