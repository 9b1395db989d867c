"""What a tag or digest led to, and what documents in hand may take of memory.

Each reading is made once: those under way or done and not kept yet are shared, and the
store is asked in batches for what it knows already. Crawls, pushes and weighings share
one budget: a registry may serve documents of 4 MiB wherever an ordinary one has 4 kB,
and it is bytes, not documents, that fill memory.
"""

import asyncio
import threading
from collections import deque
from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Sequence,
)
from types import TracebackType
from typing import Final, NamedTuple, Self, TypeAlias

from msgspec import Struct, field

from weighbridge.domain import limits
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Artifact, Document, Image, Index, Layer
from weighbridge.errors import DocumentError


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


FindKnown: TypeAlias = Callable[[Collection[Digest]], Awaitable[set[Digest]]]
_Waiting: TypeAlias = dict[Digest, list[asyncio.Future[bool]]]


class KnownDigests:
    """Gathers the questions of one turn of the event loop into one query."""

    def __init__(self, find: FindKnown) -> None:
        self._find = find
        self._waiting: _Waiting = {}
        self._asking: set[asyncio.Task[None]] = set()

    async def contains(self, digest: Digest) -> bool:
        """Whether the facts of this manifest are in the store."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._ask)
        # One for each who asks: who is cancelled takes only their own along.
        future: asyncio.Future[bool] = loop.create_future()
        self._waiting.setdefault(digest, []).append(future)
        return await future

    def _ask(self) -> None:
        batch, self._waiting = self._waiting, {}
        task = asyncio.ensure_future(self._answer(batch))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _answer(self, batch: _Waiting) -> None:
        try:
            known = await self._find(batch.keys())
        except BaseException as exc:
            for future in _open(batch):
                future.set_exception(exc)
                # Nobody may be waiting any more; asyncio must not complain then.
                future.exception()
            if not isinstance(exc, Exception):
                raise
            return
        for digest, futures in batch.items():
            for future in futures:
                if not future.done():
                    future.set_result(digest in known)


def _open(batch: _Waiting) -> Iterator[asyncio.Future[bool]]:
    for futures in batch.values():
        yield from (future for future in futures if not future.done())


async def nothing_known(digests: Collection[Digest]) -> set[Digest]:
    """The `find` of a weighing without a store."""
    return set()


_ENTRY_BYTES: Final = 600
"""What a layer or a child takes in memory, its digest and media type included."""


class Reading(Struct, frozen=True):
    """What a tag or digest led to.

    digest:    computed from what was served
    documents: the new ones among all that is reachable; those that the store
               knows are left out
    missing:   children that could not be had, with the code that says why
    """

    digest: Digest
    documents: tuple[Document, ...] = ()
    missing: dict[Digest, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def kept_bytes(documents: Iterable[Document]) -> int:
    """What these documents take in memory, roughly and rather too much."""
    return sum(map(_kept_bytes, documents))


def layers_bytes(layers: Sequence[Layer]) -> int:
    """The same of a manifest's layers."""
    return _ENTRY_BYTES * len(layers)


def _kept_bytes(document: Document) -> int:
    match document:
        case Image():
            entries = len(document.layers) + len(document.diff_ids)
            texts = sum(200 + len(line.instruction) for line in document.lines)
            return _ENTRY_BYTES * (1 + entries) + texts
        case Index():
            return _ENTRY_BYTES * (1 + len(document.children))
        case Artifact():
            return _ENTRY_BYTES * (1 + len(document.blobs))
    return _ENTRY_BYTES


MOST_LANDED: Final = 2_048
"""Readings that are done and that nobody has kept yet, the children's included. A crawl
that goes well has fewer in hand; where an index is refused, those of its good children
stay behind."""
MOST_LANDED_BYTES: Final = 8 * limits.MIB
"""The same in bytes; two hundred ordinary ones have less."""
OF_THE_WAY: Final = "index_too_large"
"""It depends on what else the tag leads to: another tag may read the same document."""


class DigestQuestion(NamedTuple):
    """What of a digest was asked: an answer speaks for one repository, and whether a
    child is true depends on the index that names it. Were these shared, an index of
    one pusher could have another's image refused.

    is_deepest: it is asked at the last level, where an index is not read any more
    """

    repository: str
    manifest_bytes: int
    is_deepest: bool = False


class SingleFlight:
    """most_landed: readings that may be done and wait to be kept"""

    def __init__(self, most_landed: int) -> None:
        self._flights: dict[Digest, dict[DigestQuestion, asyncio.Task[Reading]]] = {}
        self._most_landed = most_landed
        self._landed_flights: dict[Digest, int] = {}
        self._landed_bytes = 0
        # Code and message alone: an error that was raised holds, by its traceback,
        # the document that it is about, and that may be 4 MiB.
        self._refused: dict[tuple[Digest, DigestQuestion], tuple[str, str]] = {}

    def is_known(self, digest: Digest, asked: DigestQuestion) -> bool:
        """Whether `once` would join a reading, or refuse it, and begin none."""
        is_refused = (digest, asked) in self._refused
        return is_refused or asked in self._flights.get(digest, {})

    async def once(
        self,
        digest: Digest,
        asked: DigestQuestion,
        start: Callable[[], Awaitable[Reading]],
    ) -> Reading:
        """Join the reading that is under way or done for the same question, or begin
        it."""
        if refused := self._refused.get((digest, asked)):
            code, message = refused
            raise DocumentError(message, code=code)
        flight = self._flights.get(digest, {}).get(asked)
        if flight is None:

            async def fly() -> Reading:
                return await start()

            flight = asyncio.create_task(fly())
            self._flights.setdefault(digest, {})[asked] = flight
            flight.add_done_callback(lambda done: self._landed(digest, asked, done))
        try:
            return await asyncio.shield(flight)
        finally:
            # The traceback of an error holds this frame, the flight holds the error:
            # such a ring keeps the document until the collector looks.
            del flight

    def forget(self, digest: Digest) -> None:
        """It is kept: later questions go to the store."""
        self._flights.pop(digest, None)
        self._landed_bytes -= self._landed_flights.pop(digest, 0)

    def _landed(
        self, digest: Digest, asked: DigestQuestion, flight: asyncio.Task[Reading]
    ) -> None:
        """Keep what will not change if asked again: a reading, a broken rule."""
        failed = flight.cancelled() or flight.exception()
        if not failed:
            self._landed_bytes -= self._landed_flights.pop(digest, 0)
            size = kept_bytes(flight.result().documents)
            self._landed_flights[digest] = size
            self._landed_bytes += size
            self._bound_landed()
            return
        if isinstance(failed, DocumentError) and failed.code != OF_THE_WAY:
            self._refused[digest, asked] = (failed.code, failed.message)
        flights = self._flights.get(digest, {})
        flights.pop(asked, None)
        if not flights:
            self._flights.pop(digest, None)

    def _bound_landed(self) -> None:
        """The oldest are asked for again if anybody still wants them."""
        while (
            len(self._landed_flights) > self._most_landed
            or self._landed_bytes > MOST_LANDED_BYTES
        ):
            digest = next(iter(self._landed_flights))
            self._landed_bytes -= self._landed_flights.pop(digest)
            flights = self._flights.pop(digest, {})
            if under_way := {k: f for k, f in flights.items() if not f.done()}:
                self._flights[digest] = under_way
