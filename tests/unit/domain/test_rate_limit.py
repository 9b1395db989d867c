"""Limits that registries tell in headers: one number, or several windows."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.registry.rate_limit import RateLimit, parse_rate_limit

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("limit", "remaining", "expected"),
    [
        ("100;w=21600", "76;w=21600", (100, 76, 21_600)),
        ("100 ; w=21600", "0;w=21600", (100, 0, 21_600)),
        ("2000", "1999", (2_000, 1_999, None)),
        ("100;w=21600", "76", (100, 76, 21_600)),
        ("100;w=21600;burst=9", "76;w=21600;x=w", (100, 76, 21_600)),
        ("100;w=21600", "", (100, None, 21_600)),
        ("5000", "soon", (5_000, None, None)),
    ],
)
def test_a_limit_is_read_as_it_is_told(
    limit: str, remaining: str, expected: tuple[int, int | None, int | None]
) -> None:
    assert parse_rate_limit(limit, remaining, NOW) == RateLimit(*expected, NOW)


@pytest.mark.parametrize(
    ("limit", "remaining", "expected"),
    [
        ("10;w=3600, 100;w=21600", "8;w=3600, 52;w=21600", (100, 52, 21_600)),
        ("10;w=3600, 100;w=21600", "3;w=3600, 60;w=21600", (10, 3, 3_600)),
        ("100, 100;w=60", "7", (100, 7, None)),
    ],
)
def test_of_several_windows_the_one_counts_of_which_least_is_left(
    limit: str, remaining: str, expected: tuple[int, int, int | None]
) -> None:
    assert parse_rate_limit(limit, remaining, NOW) == RateLimit(*expected, NOW)


@pytest.mark.parametrize(
    "limit", ["", "none", "-1", "1" * 13, "\uff11\uff10", "1.5", ";w=1"]
)
def test_what_is_no_number_is_no_limit(limit: str) -> None:
    assert parse_rate_limit(limit, "5", NOW) is None


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_a_limit_or_none(limit: str, remaining: str) -> None:
    told = parse_rate_limit(limit, remaining, NOW)

    assert told is None or (told.limit >= 0 and told.left >= 0)


@given(
    st.integers(0, 10**12 - 1), st.integers(0, 10**12 - 1), st.integers(1, 10**9 - 1)
)
def test_what_is_written_is_read(limit: int, remaining: int, window_s: int) -> None:
    told = parse_rate_limit(f"{limit};w={window_s}", f"{remaining};w={window_s}", NOW)

    assert told == RateLimit(limit, remaining, window_s, NOW)
