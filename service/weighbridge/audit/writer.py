"""Makes a crawl's store calls on threads of their own, one transaction a call."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, Final, ParamSpec, TypeVar

from weighbridge.errors import StaleFence, StoreError
from weighbridge.store.ledger.settler import settle_all
from weighbridge.store.session import Connection, Database

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE_S: Final = 180.0
"""So long a crawl waits for a database that is locked or restarted; every answer
that it has in hand meanwhile is kept."""
_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 2.0
_PASSING: Final = frozenset({"database_busy", "database_unavailable"})
"""What goes by while one waits; a full disk needs a person."""


def _unheard(error: StoreError) -> None:
    """Nobody counts the failures."""


class Writer:
    """Keeps the event loop free of SQL, and SQLite free of two writers.

    Writes are made in the order in which they were asked for, reads beside them. The
    database's owner closes it; `close` only ends the threads.
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
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="weighbridge-store")
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="weighbridge-read")

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
        """`function(connection, ...)` in a transaction of its own, committed.

        Tried again while the database is busy or away: the function may run twice.
        """

        def call() -> T:
            with self._database.write() as connection:
                return function(connection, *args, **kwargs)

        return await self._patiently(self._writing, call)

    async def keep(
        self,
        facts: Callable[[Connection], None] | None,
        ledger: Callable[[Connection], None],
    ) -> None:
        """Facts, then what is made of them in one repository's ledger.

        Two transactions, so that no lock on a shared fact is held while a repository
        is locked, or the other way round; one where there is one writer anyway.
        """
        if facts is None:
            await self.write(ledger)
        elif self._database.settles_at_once:
            await self.write(_both, facts, ledger)
        else:
            await self.write(facts)
            await self.write(ledger)

    async def read(
        self,
        function: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """`function(connection, ...)` over one consistent snapshot."""

        def call() -> T:
            with self._database.read() as connection:
                return function(connection, *args, **kwargs)

        return await self._patiently(self._reading, call)

    async def settle(self) -> None:
        """Until every number is settled that other repositories have a part in."""
        if not self._database.settles_at_once:
            await self._patiently(self._writing, lambda: settle_all(self._database))

    def close(self) -> None:
        """Wait for the calls that were asked for, then end the threads."""
        self._writing.shutdown(wait=True)
        self._reading.shutdown(wait=True)

    async def _patiently(self, thread: ThreadPoolExecutor, call: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._patience_s
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                return await loop.run_in_executor(thread, call)
            except StaleFence:
                raise
            except StoreError as exc:
                if thread is self._writing:
                    self._on_failure(exc)
                if exc.code not in _PASSING or loop.time() + wait_s > ends_at:
                    raise
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)


def _both(
    connection: Connection,
    facts: Callable[[Connection], None],
    ledger: Callable[[Connection], None],
) -> None:
    facts(connection)
    ledger(connection)
