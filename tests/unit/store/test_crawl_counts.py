"""Sums and differences of what a crawl has done."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from weighbridge.store.crawls.chunks import CrawlCounts

_COUNTS = st.builds(CrawlCounts, *[st.integers(0, 10**12)] * len(CrawlCounts.names()))


@given(_COUNTS, _COUNTS)
def test_each_count_is_added_and_taken_away_alone(
    one: CrawlCounts, other: CrawlCounts
) -> None:
    pairs = list(zip(astuple(one), astuple(other), strict=True))

    assert astuple(one + other) == tuple(a + b for a, b in pairs)
    assert astuple(one - other) == tuple(a - b for a, b in pairs)
