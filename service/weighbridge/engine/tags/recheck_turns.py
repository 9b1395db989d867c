"""When a tag that HEAD calls unchanged is asked by GET in HEAD's place.

A registry, or a cache before it, whose HEAD names a digest of last month would never be
found out otherwise. Each tag has one turn in seven days, at a moment that its name
decides, so that turns are spread over the crawls and nothing need be written down.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final

from weighbridge.store.leases.claiming import Claim

PERIOD: Final = timedelta(days=7)
DISTRUST: Final = 2 * PERIOD
"""A registry whose HEAD was found false is asked by GET for so long: each tag is
compared twice meanwhile."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class CheckTurns:
    """Whose turn it is in one crawl.

    since:  when the last complete crawl began: the turns until then were had
    by_get: HEAD was found false not long ago, and is asked only to see whether it
            still is
    """

    def __init__(self, claim: Claim, since: datetime | None, now: datetime) -> None:
        self._repository = claim.repository
        self._now = now
        # Where no crawl was complete for a whole period, those that the last one could
        # not ask are asked in their next turn: all at once would not be spread.
        last = claim.last_crawl_at or now
        self._since = last if since is None or now - since > PERIOD else since
        found_at = claim.false_head_at
        self.by_get = found_at is not None and now - found_at < DISTRUST

    def has(self, tag: str) -> bool:
        """Whether the tag's turn came since then."""
        return last_turn(self._repository, tag, self._now) > self._since


def last_turn(repository: str, tag: str, now: datetime) -> datetime:
    """The moment of a tag's last turn, at most `PERIOD` ago."""
    digest = hashlib.sha256(f"{repository}:{tag}".encode()).digest()
    offset = PERIOD * (int.from_bytes(digest[:8]) / 2**64)
    return now - (now - _EPOCH - offset) % PERIOD
