"""What registries tell of pulls, what of it falls into which month, and how many bytes
that has moved.

A registry's number is its own word. No more is made of it than it says: what it counts
decides between which bounds the bytes are, and a counter that has fallen tells nothing.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, Literal, TypeAlias, get_args

from msgspec import Struct

from weighbridge.domain.traffic.months import month_begins, month_of
from weighbridge.domain.traffic.shares import divided

Counted: TypeAlias = Literal["manifests", "actions"]
"""`manifests`: each manifest that was fetched, by GET and not by HEAD. A pull fetches
one, or two where the tag names an index: that, and the image of the platform.
`actions`: whatever was done in the repository: pulls, and pushes and other changes."""

COUNTED: Final[tuple[Counted, ...]] = get_args(Counted)
MOST_PULLS: Final = 10**15
"""More in one number than any registry has served; such a number says nothing."""
_CLOSE: Final = timedelta(days=1)
"""Readings on both sides of a month's end that are so close are as good as at it."""


class PullCount(Struct, frozen=True):
    """How much was pulled of one repository, as its registry tells it.

    counts:   what the number counts
    window_s: over how many seconds until now; None: since the repository was made
    """

    number: int
    counts: Counted = "manifests"
    window_s: int | None = None


class KeptCount(Struct, frozen=True):
    """The same, as it was kept.

    counted_until: months hold what came until then
    """

    count: PullCount
    seen_at: datetime
    counted_until: datetime


class Increase(Struct, frozen=True):
    """What came to one month.

    number:      None: it cannot be told, as the counter has fallen
    is_estimate: it is a part of a number that is of several months, or of a window
    """

    month: int
    number: int | None
    since: datetime
    until: datetime
    is_estimate: bool = False


def read_pulls(value: object) -> int | None:
    """A number of pulls in an answer; None for what is none, or cannot be believed.
    Some APIs write whole numbers with a point."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= MOST_PULLS else None


def increases(
    before: KeptCount | None, count: PullCount, seen_at: datetime
) -> tuple[Increase, ...]:
    """What a number adds to the months, given the one before it; nothing where that
    cannot be told yet.

    A count since the beginning adds what it has grown by; that of a window is taken
    once in each window, so that nothing is counted twice.
    """
    if before is not None and before.seen_at >= seen_at:
        return ()
    is_same = before is not None and _kind(before.count) == _kind(count)
    if count.window_s is not None:
        window = timedelta(seconds=count.window_s)
        if before is not None and is_same and seen_at - before.counted_until < window:
            return ()
        return _spread(count.number, seen_at - window, seen_at, is_estimate=True)
    if before is None or not is_same:
        return ()
    grown = count.number - before.count.number
    is_far = seen_at - before.counted_until > _CLOSE
    return _spread(
        grown if grown >= 0 else None,
        before.counted_until,
        seen_at,
        is_estimate=is_far and month_of(before.counted_until) != month_of(seen_at),
    )


def _kind(count: PullCount) -> tuple[Counted, int | None]:
    return count.counts, count.window_s


def _spread(
    number: int | None, since: datetime, until: datetime, *, is_estimate: bool
) -> tuple[Increase, ...]:
    """A number over the months that a period touches, in proportion to its time in
    each."""
    months = range(month_of(since), month_of(until) + 1)
    ends = [since, *map(month_begins, months[1:]), until]
    spans = list(pairwise(ends))
    seconds = [int((end - begin).total_seconds()) for begin, end in spans]
    parts: Sequence[int | None] = [None] * len(spans)
    if number is not None:
        # A period below a second is of the month in which it ends.
        weights = seconds if any(seconds) else [0] * (len(spans) - 1) + [1]
        parts = divided(number, weights)
    return tuple(
        Increase(month, part, begin, end, is_estimate)
        for month, part, (begin, end) in zip(months, parts, spans, strict=True)
    )


class ByteRange(Struct, frozen=True):
    """Between these is what was moved."""

    low: int
    high: int


def moved_bytes(
    number: int, counts: Counted, lightest: int | None, heaviest: int | None
) -> ByteRange | None:
    """Compressed bytes that so many pulls have moved at least and at most, were every
    layer new to who pulled; None where nothing is known of the images.

    lightest, heaviest: compressed bytes of the images that the repository's tags lead
    to, of any platform
    """
    if not number:
        return ByteRange(0, 0)
    if lightest is None or heaviest is None:
        return None
    fewest = (number + 1) // 2 if counts == "manifests" else 0
    return ByteRange(fewest * lightest, number * heaviest)
