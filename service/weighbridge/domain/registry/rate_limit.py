"""How often a registry may be asked: what it tells of a limit, the headers
`ratelimit-*`, and what we keep to, so many requests a second and so many at once.

Docker Hub says `ratelimit-limit: 100;w=21600`, others the number alone. The IETF's
draft "RateLimit header fields for HTTP" has several windows in one value.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct, field

_READ_CHARACTERS: Final = 1_024
_NUMBER: Final = re.compile(r"[ \t]*([0-9]{1,12})[ \t]*(;.*)?", re.ASCII)
_WINDOW: Final = re.compile(r';[ \t]*w[ \t]*=[ \t]*"?([0-9]{1,9})(?![0-9])', re.ASCII)


class RateLimit(Struct, frozen=True):
    """A limit as it was told last.

    remaining: None where it was not told
    window_s:  in which the limit holds; None where it was not told
    seen_at:   when this was told
    """

    limit: int
    remaining: int | None
    window_s: int | None
    seen_at: datetime

    @property
    def left(self) -> float:
        """The share of the limit that remains, as far as that is known."""
        if self.remaining is None or not self.limit:
            return 1.0 if self.remaining is None else 0.0
        return self.remaining / self.limit


def parse_rate_limit(limit: str, remaining: str, now: datetime) -> RateLimit | None:
    """The limit that two headers tell, of several windows the one of which least is
    left; None where they tell none."""
    limits, left = _by_window(limit), _by_window(remaining)
    if not limits:
        return None
    first = next(iter(limits))
    told = [
        RateLimit(
            limit=limits.get(window, limits[first]),
            remaining=number,
            window_s=window or first or None,
            seen_at=now,
        )
        for window, number in left.items()
    ]
    if not told:
        return RateLimit(limits[first], None, first or None, now)
    return min(told, key=lambda one: (one.left, one.limit))


def _by_window(value: str) -> dict[int, int]:
    """Numbers by the seconds of their windows, 0 where these are not said."""
    found: dict[int, int] = {}
    for part in value[:_READ_CHARACTERS].split(","):
        if number := _NUMBER.fullmatch(part):
            window = _WINDOW.search(number[2] or "")
            found.setdefault(int(window[1]) if window else 0, int(number[1]))
    return found


class Probe(Struct, frozen=True):
    """The last answer of a registry to `GET /v2/`, or why there is none.

    failure:         the code of the error, "" where it answered as a registry does
    seconds:         from the first step to the answer, sign-in and waiting included
    is_encrypted:    whether it is spoken to over TLS
    signs_in:        whether credentials are configured
    requests:        sent for it, repeats included, by what each was for
    bytes_read:      of bodies
    rate_limit:      as the registry told it last
    certified_until: when the first of the certificates ends that were met, of the
                     registry or its token server; None where there was none
    """

    probed_at: datetime
    failure: str
    seconds: float
    is_encrypted: bool
    signs_in: bool
    requests: Mapping[str, int] = field(default_factory=dict)
    bytes_read: int = 0
    rate_limit: RateLimit | None = None
    certified_until: datetime | None = None


_EXACT_S: Final = 1e-9
"""Sums of fractions of a second are not exact."""


class RequestRate:
    """A virtual schedule (GCRA) in one number: when the next request is due.

    After a rest as many as fit into a second may go at once (one at least). Half of
    these are kept for who is urgent, who so need not wait for a turn where all turns
    are taken as they come. In no t seconds there are more than t + 1 seconds allow.
    """

    def __init__(self, per_second: float) -> None:
        self._interval_s = 1.0 / per_second
        # Whoever is urgent may go so much before the schedule, and the others so much.
        self._urgent_s = max(1.0, self._interval_s)
        self._ordinary_s = max(self._interval_s, self._urgent_s / 2)
        self._due = 0.0

    def enter(self, now: float, *, is_urgent: bool) -> float:
        """0: a request may go now, and its turn is taken. Else the seconds until one
        may; nothing is taken."""
        early_s = self._urgent_s if is_urgent else self._ordinary_s
        due = max(self._due, now) + self._interval_s
        wait_s = due - early_s - now
        if wait_s > _EXACT_S:
            return wait_s
        self._due = due
        return 0.0

    def spend(self, now: float) -> None:
        """Forget that there was a rest: what is not urgent has to wait for a turn."""
        self._due = max(self._due, now + self._ordinary_s)


def open_to_all(most: int) -> int:
    """So many of `most` requests may be under way of those who are not urgent: from
    two on, one place is kept."""
    return most - 1 if most > 1 else most


class Slots:
    """Counts requests that are under way. Its limits may change at any time; nothing
    that is under way is taken back then.

    most:     of all
    ordinary: of those that are not urgent
    """

    def __init__(self, most: int) -> None:
        self.busy = 0
        self.busy_ordinary = 0
        self.limit(most, open_to_all(most))

    def limit(self, most: int, ordinary: int) -> None:
        """Set both limits."""
        self.most = most
        self.ordinary = ordinary

    @property
    def room(self) -> int:
        """So many more that are not urgent might begin now."""
        room = min(self.most - self.busy, self.ordinary - self.busy_ordinary)
        return max(0, room)

    def has_room(self, *, is_urgent: bool) -> bool:
        """Whether one more may begin."""
        return self.busy < self.most if is_urgent else self.room > 0

    def take(self, *, is_urgent: bool) -> None:
        """One has begun."""
        self.busy += 1
        self.busy_ordinary += not is_urgent

    def drop(self, *, is_urgent: bool) -> None:
        """One has ended."""
        self.busy -= 1
        self.busy_ordinary -= not is_urgent
