"""One thread that makes every store call of a crawl, one transaction a call."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, ParamSpec, TypeVar

from weighbridge.store.session import Connection, Database

P = ParamSpec("P")
T = TypeVar("T")


class Writer:
    """Keeps the event loop free of SQL and the database free of two writers.

    Calls are made in the order in which they were asked for. The database's
    owner closes it; `close` only ends the thread.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="weighbridge-store")

    async def write(
        self,
        function: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """`function(connection, ...)` in a transaction of its own, committed."""

        def call() -> T:
            with self._database.write() as connection:
                return function(connection, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

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

        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def close(self) -> None:
        """Wait for the calls that were asked for, then end the thread."""
        self._thread.shutdown(wait=True)
