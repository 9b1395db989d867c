"""The Range header, as RFC 9110 reads it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.demo.http.server import Unsatisfiable, asked_range


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("bytes=0-0", (0, 0)),
        ("bytes=928-999", (928, 999)),
        ("bytes=990-5000", (990, 999)),
        ("bytes=990-", (990, 999)),
        ("bytes=-72", (928, 999)),
        ("bytes=-5000", (0, 999)),
    ],
)
def test_one_range_is_understood(text: str, wanted: tuple[int, int]) -> None:
    assert asked_range(text, 1_000) == wanted


@pytest.mark.parametrize(
    "text", ["bytes=0-1,5-6", "items=0-1", "bytes=9-3", "bytes=-", "bytes=a-b", ""]
)
def test_what_is_not_one_range_is_ignored(text: str) -> None:
    assert asked_range(text, 1_000) is None


@pytest.mark.parametrize("text", ["bytes=1000-", "bytes=1000-1001", "bytes=-0"])
def test_a_range_beyond_the_end_is_unsatisfiable(text: str) -> None:
    with pytest.raises(Unsatisfiable):
        asked_range(text, 1_000)


@given(st.text(), st.integers(0, 10**12))
def test_any_header_gives_a_range_inside_or_nothing(text: str, total: int) -> None:
    try:
        wanted = asked_range(f"bytes={text}", total)
    except Unsatisfiable:
        return

    assert wanted is None or 0 <= wanted[0] <= wanted[1] < total
