"""Sums and differences of what a pass has done."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from weighbridge.store.crawls.cursor import PassCounts

_COUNTS = st.builds(PassCounts, *[st.integers(0, 10**12)] * len(PassCounts.names()))


@given(_COUNTS, _COUNTS)
def test_each_count_is_added_and_taken_away_alone(
    one: PassCounts, other: PassCounts
) -> None:
    pairs = list(zip(astuple(one), astuple(other), strict=True))

    assert astuple(one + other) == tuple(a + b for a, b in pairs)
    assert astuple(one - other) == tuple(a - b for a, b in pairs)
