"""Bounds what a crawl has learned and not yet kept: what a kill would cost."""

import heapq
from asyncio import Future, get_running_loop
from itertools import count
from typing import Final, Protocol

LIMIT: Final = 200
"""Tags of one crawl that are asked about, wait to be written or are being written,
at any time."""
BATCH: Final = 100
"""So many answers are written together: while that is done, as many gather for the
next batch, and enough are left to keep the connections busy."""


class Gatherer(Protocol):
    """Whoever gathers the answers of one repository."""

    @property
    def waiting(self) -> int:
        """Answers that nobody has begun to write."""

    def flush(self) -> None:
        """Begin to write them; does not wait."""


class InFlightLimiter:
    """A number of places, each for a tag from its question until it is stored.

    Whoever came first is served first, so that a repository is finished before the
    next one is begun, and batches are as long as they can be.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._free = limit
        self._waiting: list[tuple[int, int, Future[None]]] = []
        self._order = count()
        self._stores: list[Gatherer] = []

    def register(self, store: Gatherer) -> None:
        """Have a repository's answers written whenever a batch has gathered,
        whosever they are."""
        self._stores.append(store)

    def unregister(self, store: Gatherer) -> None:
        """The opposite."""
        self._stores.remove(store)

    async def take(self, rank: int) -> None:
        """A place; among those who wait, the lowest rank comes first."""
        if self._free:
            self._free -= 1
            return
        place: Future[None] = get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, next(self._order), place))
        try:
            await place
        except BaseException:
            if place.done() and not place.cancelled():
                self.give(1)  # It had been given to us, and we do not want it.
            raise

    def answered(self) -> None:
        """One more answer waits. Of several repositories, those are written first
        that have most: short batches cost as much as long ones."""
        waiting = sum(store.waiting for store in self._stores)
        if waiting < BATCH:
            return
        for store in sorted(self._stores, key=lambda s: s.waiting, reverse=True):
            if waiting <= BATCH // 2:
                return
            waiting -= store.waiting
            store.flush()

    def give(self, places: int) -> None:
        """Places are free again."""
        while places and self._waiting:
            _, _, place = heapq.heappop(self._waiting)
            if not place.done():
                place.set_result(None)
                places -= 1
        self._free += places
