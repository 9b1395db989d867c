"""Retry-After in all its forms."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.net.fields import Fields
from weighbridge.registry.retry_after import parse, until_reset

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
        ("-5", 1.0),
        ("0", 1.0),
        ("88888888888888888", FIFTEEN_MINUTES),
        ("9" * 500, 1.0),
        ("3e7", 1.0),
        ("NaN", 1.0),
        ("Mon, 02 Feb 1970 01:02:03 GMT", 1.0),
        ("Thu, 30 Dec 9999 23:00:00 GMT", FIFTEEN_MINUTES),
        ("Thu, 99 Zzz 9999 99:99:99 GMT", 1.0),
        ("\uff14\uff12", 1.0),
        ("\u0664\u0662", 1.0),
        ("42 seconds", 1.0),
        ("", 1.0),
    ],
    ids=lambda value: f"registry_http-014 {value!r:.40}",
)
def test_hostile_waits_stay_between_a_second_and_fifteen_minutes(
    value: str, seconds: float
) -> None:
    assert parse(value, NOW) == seconds


@given(st.text())
def test_any_text_gives_a_wait_within_bounds(value: str) -> None:
    assert 1.0 <= parse(value, NOW) <= FIFTEEN_MINUTES


@pytest.mark.parametrize(
    ("remaining", "reset", "seconds"),
    [
        ("0", str(int(NOW.timestamp()) + 40), 40.0),
        (" 0 ", str(int(NOW.timestamp()) + 4_000), FIFTEEN_MINUTES),
        ("0", str(int(NOW.timestamp()) - 40), 1.0),
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
