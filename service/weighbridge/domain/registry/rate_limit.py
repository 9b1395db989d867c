"""What a registry tells of a limit on requests: the headers `ratelimit-*`.

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
