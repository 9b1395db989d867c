"""Makes a process's store calls on threads of their own, many in a transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import Concatenate, Final, ParamSpec, TypeVar

from weighbridge.engine.writer.writer_thread import Lane
from weighbridge.errors import StoreError
from weighbridge.store.connection.retries import PATIENCE_S, Retries
from weighbridge.store.ledger.settling import settle_all
from weighbridge.store.session import Connection, Database

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
