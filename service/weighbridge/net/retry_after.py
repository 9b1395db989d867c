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


def parse(value: str, now: datetime) -> float:
    """Seconds to wait from `now` (aware), always 1 s to 15 min.

    RFC 9110 10.2.3: seconds or a date; Unix time as well. A value that means
    nothing still asks for a wait: it gets the shortest.
    """
    text = value.strip(" \t")
    if DIGITS.fullmatch(text):
        return _clamped(_seconds(int(text), now))
    if _DATE.fullmatch(text):
        return _clamped(_until(text, now))
    return RETRY_AFTER_MIN_S


def _seconds(number: int, now: datetime) -> float:
    if number < FIRST_UNIX_TIME:
        return float(number)
    return number - now.timestamp()


def _until(date: str, now: datetime) -> float:
    try:
        return (parsedate_to_datetime(date) - now).total_seconds()
    except (ValueError, OverflowError):
        return RETRY_AFTER_MIN_S


def _clamped(seconds: float) -> float:
    return min(max(seconds, RETRY_AFTER_MIN_S), RETRY_AFTER_MAX_S)
