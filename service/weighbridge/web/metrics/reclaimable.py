"""What the rules of `reclaim` would free of each repository, for its series: counted by
a thread of its own where somebody scrapes, as the read model does not hold it."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct, field

from weighbridge.domain.reclaim.keep_rules import ReclaimChoice
from weighbridge.errors import StoreError
from weighbridge.store.reports.reclaim import (
    CountedRepository,
    count_pieces,
    reclaim_by_rules,
)
from weighbridge.store.reports.repositories import find_repository
from weighbridge.store.session import Database

MOST_REPOSITORIES: Final = 100_000
"""Of more none is counted."""
MOST_TAGS: Final = 20_000
AGAIN_S: Final = 6 * 3600.0
"""What did not change is counted again after so long: rules also go by age."""
_EVERY_S: Final = 60.0

REPOSITORY: Final = (
    "weighbridge_repository_reclaimable_bytes",
    "Freed by deleting what the rules of reclaim do not keep; absent where unknown.",
)
REGISTRY: Final = (
    "weighbridge_registry_reclaimable_bytes",
    "Sum over the repositories of the registry of which it is known.",
)


class Reclaimable(Struct, frozen=True):
    """Bytes, where they are known.

    of_repositories: by registry and name
    of_registries:   sums, of those registries all of whose repositories were counted
    version:         goes up with every change
    """

    of_repositories: Mapping[tuple[str, str], int] = field(default_factory=dict)
    of_registries: Mapping[str, int] = field(default_factory=dict)
    version: int = 0


NOT_COUNTED: Final = Reclaimable()


class _Counted(Struct, frozen=True):
    mark: tuple[int, str]
    at: float
    freed_bytes: int | None


class ReclaimableKeeper:
    """Counts again what changed since, and everything every six hours. Between two
    repositories it waits as long as the first one took, so that it has at most half of
    a processor.

    is_wanted: whether there is somebody to count for
    """

    def __init__(
        self,
        database: Database,
        choice: ReclaimChoice,
        *,
        is_wanted: Callable[[], bool] = lambda: True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._choice = choice
        self._is_wanted = is_wanted
        self._now = now
        self._clock = clock
        self._counted: dict[tuple[str, str], _Counted] = {}
        self.current = NOT_COUNTED

    def watch(self, stop: threading.Event, every_s: float = _EVERY_S) -> None:
        """Count until told to stop; meant for a thread of its own."""
        while not stop.is_set():
            if self._is_wanted():
                # What is known stays; the snapshot says that reads fail.
                with suppress(StoreError):
                    self.count(stop)
            stop.wait(every_s if self._counted else 1.0)

    def count(self, stop: threading.Event) -> None:
        """Every repository that is due, once. Raises StoreError."""
        found: dict[tuple[str, str], _Counted] = {}
        for piece in count_pieces(self._database):
            for each in piece:
                if stop.is_set():
                    return
                found[each.registry, each.repository] = self._renewed(each, stop)
            if len(found) > MOST_REPOSITORIES:
                found = {}
                break
        self._counted = found
        self._publish(found)

    def _renewed(self, each: CountedRepository, stop: threading.Event) -> _Counted:
        known = self._counted.get((each.registry, each.repository))
        began = self._clock()
        if known and known.mark == each.mark and began - known.at < AGAIN_S:
            return known
        freed_bytes = self._freed_bytes(each)
        stop.wait(min(self._clock() - began, 1.0))
        return _Counted(each.mark, began, freed_bytes)

    def _freed_bytes(self, each: CountedRepository) -> int | None:
        with self._database.read() as connection:
            report = find_repository(connection, each.registry, each.repository)
            if report is None:
                return None
            found = reclaim_by_rules(
                connection,
                report,
                self._choice.rules,
                self._now(),
                leaves_tags_out=each.registry in self._choice.in_part,
                most_tags=MOST_TAGS,
            )
        return None if found.freed is None else found.freed.freed_bytes

    def _publish(self, found: Mapping[tuple[str, str], _Counted]) -> None:
        known = {
            name: each.freed_bytes
            for name, each in found.items()
            if each.freed_bytes is not None
        }
        sums: Counter[str] = Counter()
        for (registry, _), freed_bytes in known.items():
            sums[registry] += freed_bytes
        before = self.current
        if known != before.of_repositories or sums != before.of_registries:
            self.current = Reclaimable(known, dict(sums), before.version + 1)
