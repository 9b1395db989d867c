"""Bounds what a crawl has learned and not yet kept: what a kill would cost."""

import heapq
from asyncio import Future, get_running_loop
from collections.abc import Callable
from itertools import count
from typing import Final

LIMIT: Final = 160
"""Tags of one crawl that are asked about, wait to be written or are being written,
at any time."""
BATCH: Final = 64
"""So many answers are written together: while that is done, as many gather for the
next batch, and enough are left to keep the connections busy."""


class Unsaved:
    """A number of places, each for a tag from its question until it is stored.

    Whoever came first is served first, so that a repository is finished before the
    next one is begun, and batches are as long as they can be.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._free = limit
        self._answered = 0
        self._waiting: list[tuple[int, int, Future[None]]] = []
        self._order = count()
        self._flushes: set[Callable[[], None]] = set()

    def register(self, flush: Callable[[], None]) -> None:
        """Have `flush` called whenever a batch of answers has gathered, whosever they
        are: it is to store what it has. It must not wait."""
        self._flushes.add(flush)

    def unregister(self, flush: Callable[[], None]) -> None:
        """The opposite."""
        self._flushes.discard(flush)

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
        """One more answer waits to be written."""
        self._answered += 1
        if self._answered >= BATCH:
            self._answered = 0
            for flush in tuple(self._flushes):
                flush()

    def give(self, places: int) -> None:
        """Places are free again."""
        while places and self._waiting:
            _, _, place = heapq.heappop(self._waiting)
            if not place.done():
                place.set_result(None)
                places -= 1
        self._free += places
