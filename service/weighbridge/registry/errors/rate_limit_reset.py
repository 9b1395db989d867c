"""Limits that a registry's API tells beside `Retry-After`."""

from datetime import datetime
from typing import Final

from weighbridge.net.http1.header_fields import Fields
from weighbridge.net.http1.retry_after import DIGITS, FIRST_UNIX_TIME, parse

REMAINING: Final = "x-ratelimit-remaining"

__all__ = ["REMAINING", "parse", "until_reset"]


def until_reset(headers: Fields, now: datetime) -> float | None:
    """Seconds until an API's own limit begins anew, where it says that none of it is
    left (`X-RateLimit-Remaining: 0`) and when; else None."""
    if headers.get(REMAINING).strip(" \t") != "0":
        return None
    reset = headers.get("x-ratelimit-reset").strip(" \t")
    is_time = DIGITS.fullmatch(reset) and int(reset) >= FIRST_UNIX_TIME
    return parse(reset, now) if is_time else None
