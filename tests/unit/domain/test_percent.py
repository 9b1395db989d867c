"""Percentages as people write them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.text.units import parse_percent
from weighbridge.errors import UsageError


@pytest.mark.parametrize(
    ("text", "ratio"),
    [("25%", 0.25), ("12.5%", 0.125), ("0%", 0.0), ("300 %", 3.0), ("0.1%", 0.001)],
)
def test_a_percentage_is_a_share_of_one(text: str, ratio: float) -> None:
    assert parse_percent(text) == ratio


@pytest.mark.parametrize(
    "text", ["25", "0.25", "-5%", "%", "", "1e3%", "25 percent", "٣%", "25%%", "nan%"]
)
def test_what_is_no_percentage_is_told_how_to_write_one(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_percent(text)

    assert caught.value.code == "invalid_percent"
    assert caught.value.hint == "write 25% or 12.5%"


@given(st.text(max_size=12))
def test_any_text_is_a_share_or_refused(text: str) -> None:
    with suppress(UsageError):
        assert parse_percent(text) >= 0


@given(st.integers(0, 999_999))
def test_whole_percentages_are_exact(number: int) -> None:
    assert parse_percent(f"{number}%") == number / 100
