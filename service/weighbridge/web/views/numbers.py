"""Numbers and times as people read them on a page."""

from datetime import datetime
from typing import Final

from msgspec import Struct

from weighbridge.domain.text.units import format_duration

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

BITS_A_SECOND: Final = {"1 Gbit/s": 1_000_000_000, "100 Mbit/s": 100_000_000}


class Amount(Struct, frozen=True):
    """A number of bytes for a page.

    number:      None where it is not known, never 0
    is_estimate: shown with a tilde
    word:        what stands there instead of an unknown number
    reason:      why it is an estimate or unknown, for the title
    mark:        stands before a number that is not simply the registry's word
    mark_title:  what the mark says, with the figures
    """

    number: int | None
    is_estimate: bool = False
    word: str = "unknown"
    reason: str = ""
    mark: str = ""
    mark_title: str = ""


NOTHING_READ: Final = Amount(None, word="not yet", reason="No image is read yet")


def percent(part: int, whole: int) -> str:
    """One decimal, without the sign: `56.6`; `< 0.1` for less, `0` for nothing.

    Never `0.0` for something, never `100.0` for less than all.
    """
    if part == 0 or whole == 0:
        return "0"
    if part == whole:
        return "100"
    share = part / whole * 100
    if share < 0.05:
        return "< 0.1"
    return f"{min(share, 99.9):.1f}"


def ago(moment: datetime, now: datetime) -> str:
    """`4 min ago`, `2 h 40 min ago`, `21 d ago`; `just now` within a minute, and the
    date beyond two years, where nobody counts days."""
    seconds = int((now - moment).total_seconds())
    if seconds >= 2 * 365 * DAY:
        return f"{moment:%Y-%m-%d}"
    if seconds < MINUTE:
        return "just now"
    return f"{duration(seconds)} ago"


def duration(seconds: int) -> str:
    """`40 s`, `12 min`, `2 h 40 min`, `21 d`: the two largest parts that matter."""
    if seconds < MINUTE:
        return f"{seconds} s"
    if seconds < HOUR:
        return f"{seconds // MINUTE} min"
    if seconds < 2 * DAY:
        hours, rest = divmod(seconds, HOUR)
        minutes = rest // MINUTE
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{seconds // DAY} d"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 line`, `2,061 lines`, `3 repositories`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def pull_time(compressed_bytes: int, bits_a_second: int) -> str:
    """How long the bytes take on a line that carries nothing else: `8.7 s`."""
    return format_duration(compressed_bytes * 8 / bits_a_second)
