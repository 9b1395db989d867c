"""How long a server asks us to stay away: `Retry-After`."""

import re
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from weighbridge.domain.limits import RETRY_AFTER_MAX_S, RETRY_AFTER_MIN_S

DIGITS: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
# RFC 9110 5.6.7, IMF-fixdate; the two obsolete forms are treated as not understood.
_DATE: Final = re.compile(
    r"[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT", re.ASCII
)
# Docker Hub sends the time itself, in Unix seconds. Nobody asks for thirty years.
FIRST_UNIX_TIME: Final = 1_000_000_000


def parse(value: str, now: datetime) -> float | None:
    """Seconds to wait from `now` (aware), 1 s to 15 min; None where the value asks for
    no wait: zero, a time that has passed, or nothing that can be read. Whoever asks
    again then keeps to its own pauses.

    RFC 9110 10.2.3: seconds or a date; Unix time as well.
    """
    text = value.strip(" \t")
    if DIGITS.fullmatch(text):
        return _clamped(_seconds(int(text), now))
    if _DATE.fullmatch(text):
        return _clamped(_until(text, now))
    return None


def _seconds(number: int, now: datetime) -> float:
    if number < FIRST_UNIX_TIME:
        return float(number)
    return number - now.timestamp()


def _until(date: str, now: datetime) -> float:
    try:
        return (parsedate_to_datetime(date) - now).total_seconds()
    except (ValueError, OverflowError):
        return 0.0  # a date that no calendar has


def _clamped(seconds: float) -> float | None:
    if seconds <= 0:
        return None
    return min(max(seconds, RETRY_AFTER_MIN_S), RETRY_AFTER_MAX_S)
