"""Retry-After in all its forms."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.net.http1.head import Fields, parse, until_reset

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FIFTEEN_MINUTES = 900.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param("30", 30.0, id="seconds"),
        pytest.param(" 30\t", 30.0, id="seconds with blanks around"),
        pytest.param("Sun, 01 Mar 2026 12:02:00 GMT", 120.0, id="date"),
        pytest.param(
            str(int(NOW.timestamp()) + 60), 60.0, id="registry_http-013 Unix time"
        ),
    ],
)
def test_a_wait_is_understood_in_three_forms(value: str, seconds: float) -> None:
    assert parse(value, NOW) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1", 1.0),
        ("88888888888888888", FIFTEEN_MINUTES),
        ("Thu, 30 Dec 9999 23:00:00 GMT", FIFTEEN_MINUTES),
    ],
    ids=lambda value: f"registry_http-014 {value!r:.40}",
)
def test_hostile_waits_stay_between_a_second_and_fifteen_minutes(
    value: str, seconds: float
) -> None:
    assert parse(value, NOW) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "-5",
        "0",
        "000",
        "1.5",
        "abc",
        "9" * 20,
        "9" * 500,
        "3e7",
        "NaN",
        "Mon, 02 Feb 1970 01:02:03 GMT",
        "1000000000",
        "Thu, 99 Zzz 9999 99:99:99 GMT",
        "\uff14\uff12",
        "\u0664\u0662",
        "42 seconds",
        "",
    ],
    ids=lambda value: f"registry_http-014 {value!r:.40}",
)
def test_what_asks_for_no_wait_is_none(value: str) -> None:
    assert parse(value, NOW) is None


@given(st.text() | st.integers().map(str) | st.floats().map(str))
def test_any_text_gives_a_wait_within_bounds_or_none(value: str) -> None:
    wait = parse(value, NOW)

    assert wait is None or 1.0 <= wait <= FIFTEEN_MINUTES


@pytest.mark.parametrize(
    ("remaining", "reset", "seconds"),
    [
        ("0", str(int(NOW.timestamp()) + 40), 40.0),
        (" 0 ", str(int(NOW.timestamp()) + 4_000), FIFTEEN_MINUTES),
        ("0", str(int(NOW.timestamp()) - 40), None),
        ("1", str(int(NOW.timestamp()) + 40), None),
        ("00", str(int(NOW.timestamp()) + 40), None),
        ("0", "40", None),
        ("0", "", None),
        ("", "", None),
    ],
)
def test_an_api_that_says_when_it_has_something_left_is_believed(
    remaining: str, reset: str, seconds: float | None
) -> None:
    fields = [
        (b"X-RateLimit-Remaining", remaining.encode()),
        (b"X-RateLimit-Reset", reset.encode()),
    ]

    assert until_reset(Fields(fields), NOW) == seconds
