"""Which limits are worth a try, and whom one for all would flag anew."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.policies import a_policy
from weighbridge.domain.policy.policy import NO_POLICIES, Match, PolicySet
from weighbridge.domain.policy.simulation import (
    THRESHOLDS,
    NewestSize,
    compare,
    limit_of,
    present_limit,
    setters,
    suggestion,
    thresholds,
)

MB = 1_000_000
SERVICES = a_policy("services", Match(repository="shop/*"), max_compressed=500 * MB)
EVERYTHING = a_policy("everything", max_compressed=900 * MB)


def sizes_of(**megabytes: int) -> list[NewestSize]:
    return [
        NewestSize("hub", name.replace("_", "/"), "1", size * MB)
        for name, size in megabytes.items()
    ]


def names(sizes: tuple[NewestSize, ...] | None) -> list[str]:
    return [size.repository for size in sizes or ()]


@pytest.mark.parametrize(
    ("upper", "heaviest", "expected"),
    [
        (310 * MB, 4_900 * MB, [300, 400, 500, 600, 800, 1_000]),
        (100 * MB, 100 * MB, [80, 100]),
        (101 * MB, 150 * MB, [100, 200]),
        (7_000 * MB, 9_999 * MB, [6_000, 8_000, 10_000]),
    ],
)
def test_thresholds_lie_where_the_heavier_quarter_does(
    upper: int, heaviest: int, expected: list[int]
) -> None:
    found = thresholds(upper, heaviest)

    assert [threshold // MB for threshold in found] == expected


@given(st.lists(st.integers(0, 2**44), min_size=1))
def test_thresholds_are_few_round_numbers_that_tell_repositories_apart(
    sizes: list[int],
) -> None:
    ranked = sorted(sizes, reverse=True)
    upper, heaviest = ranked[len(ranked) // 4], ranked[0]

    found = thresholds(upper, heaviest)

    flagged = [sum(size > threshold for size in sizes) for threshold in found]
    assert 1 <= len(found) <= THRESHOLDS
    assert all(one < other for one, other in pairwise(found))
    assert all(str(threshold).rstrip("0") in "1234568" for threshold in found)
    # The first flags a quarter, unless all there is weighs a byte; one flags nobody.
    assert flagged[0] > len(sizes) // 4 or upper <= 1
    assert flagged.count(0) <= 1


def test_the_present_limit_is_that_of_the_policy_for_everything() -> None:
    first = a_policy("ml", Match(repository="ml/*"), max_compressed=5_000 * MB)

    assert present_limit(PolicySet([SERVICES, EVERYTHING])) == 900 * MB
    assert present_limit(PolicySet([SERVICES, first])) == 500 * MB
    assert present_limit(PolicySet([a_policy("team", team="x")])) is None
    assert present_limit(NO_POLICIES) is None


def test_a_limit_knows_every_policy_that_sets_it() -> None:
    twin = a_policy("twin", Match(repository="x"), max_compressed=500 * MB)
    policies = PolicySet([SERVICES, EVERYTHING, twin])

    assert [p.name for p in setters(policies, 500 * MB)] == ["services", "twin"]
    assert setters(policies, 600 * MB) == ()


@pytest.mark.parametrize(
    ("tried", "present", "expected"),
    [
        ((300, 400, 500, 600), 500, 400),
        ((300, 400, 500, 600), 300, 300),
        ((300, 400, 500, 600), None, 500),
        ((), 500, None),
    ],
)
def test_what_is_suggested_is_the_next_below_the_limit_in_force(
    tried: tuple[int, ...], present: int | None, expected: int | None
) -> None:
    assert suggestion(tried, present) == expected


def test_a_stricter_limit_adds_those_that_keep_their_own() -> None:
    policies = PolicySet([SERVICES])
    sizes = sizes_of(shop_api=1_083, shop_payments=452, data_dbt=431, shop_web=84)

    found = compare(400 * MB, sizes, limit_of(policies))

    # data/dbt has no limit yet: it would be flagged for the first time.
    assert names(found.more) == ["shop/payments", "data/dbt"]
    assert found.fewer == ()


def test_a_laxer_limit_leaves_out_who_is_over_a_stricter_one_now() -> None:
    policies = PolicySet([SERVICES, EVERYTHING])
    sizes = sizes_of(shop_api=1_083, shop_search=566, data_etl=950)

    found = compare(1_000 * MB, sizes, limit_of(policies))

    assert found.more == ()
    assert names(found.fewer) == ["data/etl", "shop/search"]


def test_who_is_left_out_is_not_told_where_not_all_were_looked_at() -> None:
    found = compare(
        400 * MB, sizes_of(shop_api=1_083), limit_of(NO_POLICIES), with_fewer=False
    )

    assert names(found.more) == ["shop/api"]
    assert found.fewer is None


def test_an_image_of_exactly_a_limit_is_over_none() -> None:
    policies = PolicySet([SERVICES])

    found = compare(500 * MB, sizes_of(shop_api=500), limit_of(policies))

    assert (found.more, found.fewer) == ((), ())
