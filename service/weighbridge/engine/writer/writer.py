"""Makes a process's store calls on threads of their own, those that wait in shared
transactions.
"""

import asyncio
import copy
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import islice
from threading import Condition
from typing import Any, Concatenate, Final, ParamSpec, TypeAlias, TypeVar

from msgspec import Struct, field

from weighbridge.errors import StaleFence, StoreError
from weighbridge.ports.protocols import IS_URGENT
from weighbridge.store.connection.deadlines import PATIENCE_S, Retries
from weighbridge.store.connection.failures import OF_THE_DATABASE
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.session import Connection, Database

# Any: those that share a function have its types, whatever these are; `Writer` says
# them to whoever calls.
Many: TypeAlias = Callable[[Connection, Sequence[Any]], Sequence[Any]]

MOST_MIXED: Final = 128
"""Calls of one transaction, where different ones may share it."""
MOST_ALIKE: Final = 64
"""Calls of one function in one transaction, where others write beside it: the rows of
all are locked until it ends."""
LINGER_S: Final = 0.1
"""Answers of a registry far away trickle in; batches of two or three save little."""


class _Call(Struct, eq=False):
    """A call that waits. `lingers`: it had better be made together with others."""

    function: Many
    item: object
    lingers: bool
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    since: float = field(default_factory=time.monotonic)


class _Everybodys(Exception):
    """The database itself does not do its work: no call is to blame for it."""

    def __init__(self, error: StoreError) -> None:
        self.error = error


class Lane:
    """Calls are made in the order in which they came, urgent ones before all others.

    Those that wait when the thread becomes free share a transaction. Where one of them
    breaks it, each is made again in a transaction of its own, so that only that one
    fails. Where the database is away, that is the answer to all that wait.

    Nothing here belongs to an event loop: calls may come from several, and from one
    that ends while they wait.

    mixes:    whether different functions may share a transaction
    linger_s: so long a short batch waits for more
    """

    def __init__(
        self,
        name: str,
        transaction: Callable[[], AbstractContextManager[Connection]],
        *,
        mixes: bool,
        on_failure: Callable[[StoreError], None],
        linger_s: float = LINGER_S,
    ) -> None:
        self._transaction = transaction
        self._mixes = mixes
        self._linger_s = linger_s
        self._on_failure = on_failure
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._changed = Condition()
        self._urgent: deque[_Call] = deque()
        self._waiting: deque[_Call] = deque()
        self._expected = 0
        self._is_running = False
        self._is_closed = False

    async def run(self, function: Many, item: object, *, lingers: bool) -> Any:
        """What the function answers to the item; raised where that is an exception."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._put(_Call(function, item, lingers, loop, future))
        return await future

    @contextmanager
    def expecting(self) -> Iterator[None]:
        """Who runs the block may bring calls that linger; others wait for them."""
        with self._changed:
            self._expected += 1
        try:
            yield
        finally:
            with self._changed:
                self._expected -= 1
                if self._is_running and self._wait_s() <= 0:
                    self._changed.notify()

    def close(self) -> None:
        """Wait for the calls that were asked for, then end the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.shutdown(wait=True)

    def _put(self, call: _Call) -> None:
        is_urgent = IS_URGENT.get()
        with self._changed:
            if self._is_closed:
                raise RuntimeError("a call came after the end of its thread")
            (self._urgent if is_urgent else self._waiting).append(call)
            if not self._is_running:
                self._is_running = True
                self._thread.submit(self._run)
            elif is_urgent or self._wait_s() <= 0:
                self._changed.notify()

    def _run(self) -> None:
        """On the thread, until nothing waits."""
        while calls := self._next():
            self._make(calls)

    def _next(self) -> list[_Call]:
        """The calls of the next transaction, once they are due."""
        with self._changed:
            while self._urgent or self._waiting:
                wait_s = self._wait_s()
                if wait_s > 0:
                    self._changed.wait(wait_s)
                elif calls := self._take():
                    return calls
            self._is_running = False
            return []

    def _wait_s(self) -> float:
        """How long what waits had better wait for more. Not at all where there is a
        call of its own, which takes the others along."""
        if self._urgent or self._is_closed or not self._waiting:
            return 0.0
        full = min(MOST_MIXED // 2 if self._mixes else MOST_ALIKE, self._expected)
        if len(self._waiting) >= full or not all(c.lingers for c in self._waiting):
            return 0.0
        return self._waiting[0].since + self._linger_s - time.monotonic()

    def _take(self) -> list[_Call]:
        queue = self._urgent or self._waiting
        if self._mixes:
            taken = [queue.popleft() for _ in range(min(len(queue), MOST_MIXED))]
        else:
            # One function's calls lock rows in one order, and two functions' do not.
            first = queue[0].function
            taken, left = [], list[_Call]()
            for call in queue:
                fits = call.function == first and len(taken) < MOST_ALIKE
                (taken if fits else left).append(call)
            queue.clear()
            queue.extend(left)
        return [call for call in taken if not call.future.cancelled()]

    def _make(self, calls: list[_Call]) -> None:
        batches = deque([calls])
        while batches:
            batch = batches.popleft()
            try:
                answers = self._together(batch)
            except _Everybodys as exc:
                self._on_failure(exc.error)
                for rest in (*batches, self._drop_all()):
                    batch += rest
                _tell(batch, [_again(exc.error) for _ in batch])
                return
            except BaseException as exc:  # noqa: BLE001 - the caller is to hear of it
                if len(batch) > 1:
                    batches.extend([call] for call in batch)
                    continue
                answers = [exc]
            for answer in answers:
                if isinstance(answer, StoreError) and not isinstance(
                    answer, StaleFence
                ):
                    self._on_failure(answer)
            _tell(batch, answers)

    def _together(self, calls: Sequence[_Call]) -> list[object]:
        """The answer to each, once all are committed."""
        has_begun = False
        try:
            with self._transaction() as connection:
                has_begun = True
                return _answers(connection, calls)
        except StoreError as exc:
            if not has_begun or exc.code in OF_THE_DATABASE:
                raise _Everybodys(exc) from exc
            raise

    def _drop_all(self) -> list[_Call]:
        with self._changed:
            dropped = [*self._urgent, *self._waiting]
            self._urgent.clear()
            self._waiting.clear()
        return dropped


def _answers(connection: Connection, calls: Sequence[_Call]) -> list[object]:
    """Those of one function are made together, where the first of them stands."""
    groups: dict[Many, list[_Call]] = {}
    for call in calls:
        groups.setdefault(call.function, []).append(call)
    found: dict[int, object] = {}
    for function, group in groups.items():
        answers = function(connection, [call.item for call in group])
        found |= zip(map(id, group), answers, strict=True)
    return [found[id(call)] for call in calls]


def _again(error: StoreError) -> StoreError:
    """One for each who is told of it: raising writes into an exception."""
    copied = copy.copy(error)
    copied.__cause__ = error
    return copied


def _tell(calls: Sequence[_Call], answers: Sequence[object]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Call, object]]] = {}
    for call, answer in zip(calls, answers, strict=True):
        by_loop.setdefault(call.loop, []).append((call, answer))
    for loop, some in by_loop.items():
        with suppress(RuntimeError):  # The loop has ended: nobody waits.
            loop.call_soon_threadsafe(_answer, some)


def _answer(answers: Sequence[tuple[_Call, object]]) -> None:
    for call, answer in answers:
        if call.future.done():
            continue
        if isinstance(answer, BaseException):
            call.future.set_exception(answer)
        else:
            call.future.set_result(answer)


P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")


def _unheard(error: StoreError) -> None:
    """Nobody counts the failures."""


class Writer:
    """Keeps the event loop free of SQL, and SQLite free of two writers.

    Writes are made in the order in which they were asked for, reads beside them; those
    of a push (`ports.IS_URGENT`) before all others. Calls that wait share a
    transaction: what a function does must come out the same beside others, and where
    it runs twice. The database's owner closes it; `close` only ends the threads.
    """

    def __init__(
        self,
        database: Database,
        *,
        patience_s: float = PATIENCE_S,
        on_failure: Callable[[StoreError], None] = _unheard,
    ) -> None:
        self._database = database
        self._patience_s = patience_s
        self._on_failure = on_failure
        self._writing = Lane(
            "weighbridge-store",
            database.write,
            mixes=database.settles_at_once,
            on_failure=on_failure,
        )
        self._reading = Lane(
            "weighbridge-read", database.read, mixes=True, on_failure=_unheard
        )

    @property
    def settles_at_once(self) -> bool:
        """See `Database.settles_at_once`."""
        return self._database.settles_at_once

    async def write(
        self,
        function: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """`function(connection, ...)` in a transaction, committed.

        Tried again while the database is busy or away.
        """
        return await self._patiently(
            lambda: self._writing.run(
                lambda connection, _: [function(connection, *args, **kwargs)],
                None,
                lingers=False,
            )
        )

    async def write_many(
        self,
        function: Callable[[Connection, Sequence[Item]], Sequence[T | BaseException]],
        item: Item,
        *,
        lingers: bool = True,
    ) -> T:
        """This item's part of `function(connection, items)`: one call for all that wait
        with the same function. An exception in the place of its result is raised, and
        is its own.

        lingers: it waits up to a tenth of a second until they are many
        """
        return await self._patiently(
            lambda: self._writing.run(function, item, lingers=lingers)
        )

    def expecting(self) -> AbstractContextManager[None]:
        """Who runs the block may bring items to `write_many`: a batch is not kept
        waiting for more items than there are blocks."""
        return self._writing.expecting()

    async def read(
        self,
        function: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """`function(connection, ...)` over one consistent snapshot."""
        return await self._patiently(
            lambda: self._reading.run(
                lambda connection, _: [function(connection, *args, **kwargs)],
                None,
                lingers=False,
            )
        )

    async def read_many(
        self,
        function: Callable[[Connection, Sequence[Item]], Sequence[T]],
        item: Item,
    ) -> T:
        """This item's part of `function(connection, items)`: one call for all that wait
        with the same function."""
        return await self._patiently(
            lambda: self._reading.run(function, item, lingers=False)
        )

    async def settle(self) -> None:
        """Until every number is settled that other repositories have a part in."""
        if not self._database.settles_at_once:
            await self._patiently(lambda: asyncio.to_thread(self._settle))

    def close(self) -> None:
        """Wait for the calls that were asked for, then end the threads."""
        self._writing.close()
        self._reading.close()

    def _settle(self) -> None:
        try:
            settle_all(self._database)
        except StoreError as exc:
            self._on_failure(exc)
            raise

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Every answer that a crawl has in hand meanwhile is kept."""
        patience = Retries(self._patience_s)
        while True:
            try:
                return await call()
            except StoreError as exc:
                wait_s = patience.wait_s(exc)
            await asyncio.sleep(wait_s)


Piece = TypeVar("Piece")

TOGETHER: Final = 100
"""So many repositories are judged in one transaction, at most."""


def pieces(items: Iterable[Piece], length: int) -> Iterator[list[Piece]]:
    """Of this length, but for the last."""
    iterator = iter(items)
    while piece := list(islice(iterator, length)):
        yield piece


def by_size(sizes: Mapping[Piece, int], most: int) -> Iterator[list[Piece]]:
    """Items in lists whose sizes add up to `most` at most, and of `TOGETHER` items at
    most; one that is larger is alone."""
    some: list[Piece] = []
    size = 0
    for item, more in sizes.items():
        if some and (size + more > most or len(some) == TOGETHER):
            yield some
            some, size = [], 0
        some.append(item)
        size += more
    if some:
        yield some
