"""Calendar months in UTC, as numbers that count up by one each month."""

import re
from calendar import monthrange
from datetime import UTC, date, datetime
from typing import Final

from weighbridge.errors import UsageError

MONTH_PATTERN: Final = r"^(?:19[7-9]|[2-9][0-9]{2})[0-9]-(?:0[1-9]|1[0-2])$"
"""What `parse_month` takes."""


def month_of(moment: datetime) -> int:
    """The month in which an aware time is: years times twelve, and months since
    January."""
    at = moment.astimezone(UTC)
    return at.year * 12 + at.month - 1


def month_name(month: int) -> str:
    """`2026-12`."""
    return f"{month // 12:04}-{month % 12 + 1:02}"


def parse_month(text: str) -> int:
    """The reverse. Raises UsageError(invalid_month)."""
    if re.fullmatch(MONTH_PATTERN.strip("^$"), text, re.ASCII) is None:
        raise UsageError(
            f"{text[:20]!r} is no month",
            code="invalid_month",
            hint="write year and month, such as 2026-11",
        )
    year, _, number = text.partition("-")
    return int(year) * 12 + int(number) - 1


def month_begins(month: int) -> datetime:
    """Its first moment."""
    return datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)


def days_in(month: int) -> int:
    """28 to 31."""
    return monthrange(month // 12, month % 12 + 1)[1]


def day_of(moment: datetime) -> int:
    """The day of an aware time in UTC, counted from the first of year 1."""
    return moment.astimezone(UTC).date().toordinal()


def day_date(day: int) -> date:
    """The reverse."""
    return date.fromordinal(day)
