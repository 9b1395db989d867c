"""What stands on bases of what somebody sees, kept until the bases of all are counted
again: it is counted from all images that are seen."""

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeAlias

from msgspec import Struct

from weighbridge.domain.access.principal import Sight
from weighbridge.store.bases.builds_on_base import CountedBase
from weighbridge.store.read_model.seen_bases import seen_bases
from weighbridge.store.reports.inventory import bases_version
from weighbridge.store.session import Connection
from weighbridge.web.request.threads import no_answer

MOST_BASES: Final = 20_000
"""So many bases of all answers together are kept; about 1,500 bytes each."""
WAIT_S: Final = 3.0
"""Whoever waits longer for another's count is told that there is no answer."""
Seer: TypeAlias = tuple[frozenset[str] | None, str | None]
"""Whose teams these are, and which of them is asked for. Ids alone do not say it: what
had them may be forgotten, and they are another team's then."""


class _KeptCount(Struct, frozen=True):
    sight: Sight
    version: str
    bases: Sequence[CountedBase]


class KeptBases:
    """Safe to use from several threads: one counts, the others wait for what it
    finds."""

    def __init__(self, most_bases: int = MOST_BASES, wait_s: float = WAIT_S) -> None:
        self._most_bases = most_bases
        self._wait_s = wait_s
        self._lock = threading.Lock()
        self._kept: dict[Seer, _KeptCount] = {}

    def find(
        self, connection: Connection, seer: Seer, sight: Sight, now: datetime
    ) -> Sequence[CountedBase]:
        """By name. Raises StoreError(database_unavailable) where another's count is
        waited for too long."""
        if not self._lock.acquire(timeout=self._wait_s):
            raise no_answer()
        try:
            version = bases_version(connection)
            kept = self._kept.pop(seer, None)
            if kept is None or (kept.sight, kept.version) != (sight, version):
                kept = _KeptCount(
                    sight, version, seen_bases(connection, sight.ids, now)
                )
            self._kept[seer] = kept
            while self._room() > self._most_bases:
                del self._kept[next(iter(self._kept))]  # The one not asked for longest.
        finally:
            self._lock.release()
        return kept.bases

    def _room(self) -> int:
        # An answer without a base needs some room as well.
        return sum(len(kept.bases) + 10 for kept in self._kept.values())
