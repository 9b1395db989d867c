"""Bounds the bytes of documents that this process holds at any time.

Crawls, pushes and weighings share one budget: a registry may serve documents of 4 MiB
wherever an ordinary one has 4 kB, and it is bytes, not documents, that fill memory.
"""

import asyncio
import threading
from collections import deque
from types import TracebackType
from typing import Final, Self

from weighbridge.domain import limits


class InFlight:
    """A number of bytes.

    A document is charged from before it is asked for until it is parsed
    (`transfer`), and what was made of it until it is stored (`hold`). Only a transfer
    waits, and never for ever: none begins within another, what waits to be stored
    (`is_done`) needs none, and where the rest is all that is held, one goes on all the
    same. May be shared by threads.
    """

    def __init__(self, limit_bytes: int = limits.IN_FLIGHT_BYTES) -> None:
        self._limit = limit_bytes
        self._held = 0
        self._done = 0
        self._moving = 0
        self._transfers = 0
        self._lock = threading.Lock()
        self._waiting: deque[Transfer] = deque()

    @property
    def is_tight(self) -> bool:
        """Whether what is held is better stored at once."""
        return 2 * self._held > self._limit

    def transfer(self, content_bytes: int, *, is_of_begun: bool = False) -> "Transfer":
        """A block in which so many bytes are asked for and parsed; an `async with`
        that waits until there is room, first come, first served.

        is_of_begun: it ends what is held already, and comes first
        """
        return Transfer(self, content_bytes, is_of_begun)

    def hold(self, kept_bytes: int, *, is_done: bool = False) -> None:
        """So much of what was parsed is kept in memory.

        is_done: it waits for nothing but to be stored
        """
        with self._lock:
            self._held += kept_bytes
            self._done += kept_bytes if is_done else 0

    def release(self, kept_bytes: int, *, is_done: bool = False) -> None:
        """The opposite."""
        with self._lock:
            self._held -= kept_bytes
            self._done -= kept_bytes if is_done else 0
            self._let_in()

    def begin(self, transfer: "Transfer") -> asyncio.Future[None] | None:
        """None where there is room; else what to wait for."""
        with self._lock:
            is_next = transfer.is_of_begun or not self._waiting
            if is_next and self._has_room(transfer.content_bytes):
                self._take(transfer)
                return None
            transfer.loop = asyncio.get_running_loop()
            transfer.place = transfer.loop.create_future()
            if transfer.is_of_begun:
                self._waiting.appendleft(transfer)
            else:
                self._waiting.append(transfer)
            return transfer.place

    def end(self, transfer: "Transfer") -> None:
        """Give back what it has taken, or its place in the queue."""
        with self._lock:
            if transfer.is_taken:
                self._moving -= transfer.content_bytes
                self._transfers -= 1
                transfer.is_taken = False
            elif transfer in self._waiting:
                self._waiting.remove(transfer)
            self._let_in()

    def _has_room(self, content_bytes: int) -> bool:
        taken = self._held + self._moving
        is_alone = not self._transfers and not self._done
        return taken + content_bytes <= self._limit or is_alone

    def _take(self, transfer: "Transfer") -> None:
        transfer.is_taken = True
        self._moving += transfer.content_bytes
        self._transfers += 1

    def _let_in(self) -> None:
        while self._waiting and self._has_room(self._waiting[0].content_bytes):
            transfer = self._waiting.popleft()
            self._take(transfer)
            transfer.loop.call_soon_threadsafe(_set, transfer.place)


class Transfer:
    """One document on its way; see `InFlight.transfer`."""

    __slots__ = (
        "_budget",
        "content_bytes",
        "is_of_begun",
        "is_taken",
        "loop",
        "place",
    )

    loop: asyncio.AbstractEventLoop
    place: asyncio.Future[None]

    def __init__(self, budget: InFlight, content_bytes: int, is_of_begun: bool) -> None:
        self._budget = budget
        self.content_bytes = content_bytes
        self.is_of_begun = is_of_begun
        self.is_taken = False

    def end(self) -> None:
        """Before the block ends: the document is parsed. May be called again."""
        if self.is_taken:
            self._budget.end(self)

    async def begin(self) -> None:
        """Wait until there is room; `end` is then to be called."""
        if (place := self._budget.begin(self)) is not None:
            try:
                await place
            except BaseException:
                self._budget.end(self)
                raise

    async def __aenter__(self) -> Self:
        await self.begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()


def _set(place: asyncio.Future[None]) -> None:
    if not place.done():
        place.set_result(None)


PROCESS: Final = InFlight()
"""The one budget that everything in this process shares."""
