"""What storing and pulling costs: exact to the cent, and the parts are the whole."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.policy.policy import NO_POLICIES
from weighbridge.domain.traffic.costs import (
    GB,
    PERS,
    MonthCosts,
    MonthUse,
    Per,
    Prices,
    month_costs,
    owner_of,
)
from weighbridge.domain.traffic.months import parse_month

APRIL = parse_month("2026-04")
EUROS = Prices("EUR", Decimal("0.023"), Decimal("0.09"))


def a_use(
    repository: str = "shop/api",
    byte_days: int | None = 30 * GB,
    days: int = 30,
    low: int | None = GB,
    high: int | None = 2 * GB,
) -> MonthUse:
    return MonthUse("hub", repository, "1", byte_days, days, low, high)


def by_project(*uses: MonthUse, prices: Prices | None = EUROS) -> MonthCosts:
    return month_costs(uses, APRIL, prices, owner_of("project", NO_POLICIES))


def test_a_gigabyte_stored_for_a_month_costs_its_price() -> None:
    (row,) = by_project(a_use(byte_days=1_000 * 30 * GB)).rows

    assert row.storage_cost == Decimal("23.00")
    assert (row.pull_cost_low, row.pull_cost_high) == (Decimal("0.09"), Decimal("0.18"))


def test_days_that_were_not_noted_cost_nothing() -> None:
    costs = by_project(a_use(byte_days=1_000 * 15 * GB, days=15))

    assert costs.total.storage_cost == Decimal("11.50")
    assert (costs.days, costs.days_in_month) == (15, 30)
    assert costs.total.stored_bytes == 1_000 * GB


def test_what_is_not_known_costs_nobody_knows_what() -> None:
    (row,) = by_project(a_use(byte_days=None, days=0, low=None, high=None)).rows

    assert (row.stored_bytes, row.storage_cost) == (None, None)
    assert (row.traffic_high_bytes, row.pull_cost_high) == (None, None)
    assert row.pulls_unknown == 1


def test_without_a_price_there_is_no_cost() -> None:
    costs = by_project(a_use(), prices=None)

    assert costs.total.storage_cost is None
    assert costs.total.pull_cost_low is None
    assert costs.total.stored_bytes == GB


def test_nothing_at_all_is_no_error() -> None:
    costs = by_project()

    assert costs.rows == ()
    assert costs.total.storage_cost is None


def test_the_most_expensive_comes_first() -> None:
    costs = by_project(a_use("a/a"), a_use("b/b", byte_days=9_000 * GB), a_use("c/c"))

    assert costs.rows[0].owner == "hub/b"


BYTES = st.integers(0, 2**62)
USES = st.lists(
    st.builds(
        lambda name, stored, low, more: a_use(name, stored, 30, low, low + more),
        st.sampled_from(["a/x", "a/y", "b/x", "c", "d/e/f"]),
        BYTES,
        st.integers(0, 2**50),
        st.integers(0, 2**50),
    ),
    max_size=12,
)
PRICES = st.decimals(0, 1_000, places=4, allow_nan=False)


@given(USES, PRICES, PRICES, st.sampled_from(PERS))
def test_the_parts_of_a_cost_add_up_to_the_whole(
    uses: list[MonthUse], stored: Decimal, pulled: Decimal, per: Per
) -> None:
    prices = Prices("EUR", stored, pulled)

    costs = month_costs(uses, APRIL, prices, owner_of(per, NO_POLICIES))

    for name in ("storage_cost", "pull_cost_low", "pull_cost_high"):
        parts = [getattr(row, name) for row in costs.rows]
        if uses:
            assert sum(parts) == getattr(costs.total, name)
    exact = sum(use.byte_days or 0 for use in uses) * stored / (30 * GB)
    assert abs((costs.total.storage_cost or 0) - exact) <= Decimal("0.01")


@given(USES, PRICES)
def test_a_cost_of_pulls_is_never_more_at_least_than_at_most(
    uses: list[MonthUse], pulled: Decimal
) -> None:
    costs = by_project(*uses, prices=Prices("EUR", None, pulled))

    for row in (*costs.rows, costs.total):
        if row.pull_cost_low is not None and row.pull_cost_high is not None:
            assert 0 <= row.pull_cost_low <= row.pull_cost_high
