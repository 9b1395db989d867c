"""Who is nearest to its limit: the same as if everybody had been looked at."""

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.policies import a_policy
from weighbridge.domain.policy.policy import NO_POLICIES, Match, PolicySet
from weighbridge.domain.policy.simulation import (
    FLOORS,
    Headroom,
    NewestSize,
    Span,
    limit_of,
    limits_in,
    nearest,
    patterns_of,
    spans,
)
from weighbridge.domain.text.globs import fits

MB = 1_000_000
NAMES = ("shop/api", "shop/web", "ml/notebook", "data/etl", "base")
PATTERNS = ("*", "shop/*", "*web", "ml/*", "*a*", "base", "none/*")


class Sizes:
    """Newest images as a database has them; counts what was read."""

    def __init__(self, sizes: Iterable[NewestSize]) -> None:
        self.sizes = list(sizes)
        self.read = 0

    def __call__(self, within: Sequence[Span]) -> list[NewestSize]:
        found = [
            size
            for size in self.sizes
            if any(low <= size.compressed_bytes <= high for low, high in within)
        ]
        self.read += len(found)
        return found


def a_size(compressed_bytes: int, repository: str = "shop/api") -> NewestSize:
    return NewestSize("hub", repository, "1", compressed_bytes)


def found_by(policies: PolicySet, sizes: Sizes, most: int = 3) -> list[Headroom]:
    return list(nearest(sizes, limits_in(policies), limit_of(policies), most))


def test_the_largest_part_of_its_own_limit_comes_first() -> None:
    policies = PolicySet(
        [
            a_policy("ml", Match(repository="ml/*"), max_compressed=5_000 * MB),
            a_policy("all", max_compressed=500 * MB),
        ]
    )
    sizes = [a_size(452 * MB, "shop/payments"), a_size(4_872 * MB, "ml/trainer")]

    first, second = found_by(policies, Sizes(sizes))

    assert (first.size.repository, first.left_bytes) == ("ml/trainer", 128 * MB)
    assert (second.size.repository, second.left_bytes) == ("shop/payments", 48 * MB)


@pytest.mark.parametrize(
    ("megabytes", "is_found", "is_near"),
    [(449, True, False), (450, True, True), (500, True, True), (501, False, False)],
)
def test_near_is_from_nine_tenths_up_to_the_limit_itself(
    megabytes: int, is_found: bool, is_near: bool
) -> None:
    policies = PolicySet([a_policy("all", max_compressed=500 * MB)])

    found = found_by(policies, Sizes([a_size(megabytes * MB)]))

    assert [headroom.is_near for headroom in found] == [is_near] * is_found


def test_without_a_limit_nothing_is_read() -> None:
    sizes = Sizes([a_size(5)])

    assert found_by(NO_POLICIES, sizes) == []
    assert sizes.read == 0


def test_the_policies_are_asked_once_for_each_repository() -> None:
    policies = PolicySet([a_policy("all", max_compressed=1_000)])
    asked: list[NewestSize] = []

    def limit(size: NewestSize) -> int | None:
        asked.append(size)
        return limit_of(policies)(size)

    sizes = Sizes(a_size(number, f"r{number}") for number in range(300))
    nearest(sizes, limits_in(policies), limit, most=500)

    assert len(asked) == len(set(asked)) == 300
    assert sizes.read > 300  # Far ones are read more than once.


def test_where_enough_are_near_the_others_are_not_read() -> None:
    policies = PolicySet([a_policy("all", max_compressed=1_000)])
    sizes = Sizes(a_size(number, f"r{number}") for number in range(2_000))

    found = found_by(policies, sizes)

    assert [headroom.left_bytes for headroom in found] == [0, 1, 2]
    assert sizes.read < 20


def test_who_is_near_to_the_limit_of_others_only_is_not_near() -> None:
    policies = PolicySet(
        [
            a_policy("base", Match(repository="base"), max_compressed=100),
            a_policy("all", max_compressed=1_000),
        ]
    )
    sizes = Sizes([a_size(100, "shop/api"), a_size(950, "shop/web")])

    (found,) = found_by(policies, sizes, most=1)

    assert found.size.repository == "shop/web"


def test_a_policy_for_every_name_says_nothing_of_names() -> None:
    shop = a_policy("shop", Match(repository="shop/*"), max_compressed=1)
    free = a_policy("free", Match(repository="ml/*"), max_compressed=None)

    assert patterns_of(PolicySet([shop, free])) == {"shop/*"}
    assert not patterns_of(PolicySet([shop, a_policy("all", max_compressed=1)]))


@given(
    policies=st.lists(
        st.tuples(
            st.sampled_from(PATTERNS), st.none() | st.integers(1, 60), st.booleans()
        ),
        max_size=5,
    ),
    sizes=st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 70)), max_size=20),
    most=st.integers(1, 5),
)
def test_they_are_those_that_a_look_at_everybody_finds(
    policies: list[tuple[str, int | None, bool]],
    sizes: list[tuple[str, int]],
    most: int,
) -> None:
    in_force = PolicySet(
        a_policy(f"p{n}", Match(repository=pattern), max_compressed=limit)
        if is_set
        else a_policy(f"p{n}", Match(repository=pattern), team="x")
        for n, (pattern, limit, is_set) in enumerate(policies)
    )
    known = [
        NewestSize(f"r{n}", name, "1", size) for n, (name, size) in enumerate(sizes)
    ]

    found = found_by(in_force, Sizes(known), most)

    kept = [(size, limit_of(in_force)(size)) for size in known]
    every = [
        Headroom(size, limit)
        for size, limit in kept
        if limit is not None and size.compressed_bytes <= limit
    ]
    every.sort(key=lambda h: (-h.share, h.size.registry, h.size.repository))
    assert found == every[:most]


@given(
    limits=st.sets(st.integers(1, 10**12), min_size=1, max_size=300),
    percent=st.sampled_from(FLOORS),
    share=st.floats(0, 1),
)
def test_spans_hold_whoever_is_so_much_of_a_limit_and_are_few(
    limits: set[int], percent: int, share: float
) -> None:
    made = spans(limits, percent)

    for limit in limits:
        size = max(int(limit * share), -(-limit * percent // 100))
        assert any(low <= size <= high for low, high in made)
    assert len(made) <= 100


@given(
    chosen=st.lists(st.sampled_from(PATTERNS), max_size=6),
    name=st.sampled_from(NAMES),
)
def test_a_repository_with_a_limit_fits_one_of_the_patterns(
    chosen: list[str], name: str
) -> None:
    policies = PolicySet(
        a_policy(f"p{n}", Match(repository=pattern), max_compressed=1)
        for n, pattern in enumerate(chosen)
    )

    patterns = patterns_of(policies)

    if patterns and limit_of(policies)(a_size(1, name)) is not None:
        assert any(fits(pattern, name) for pattern in patterns)
