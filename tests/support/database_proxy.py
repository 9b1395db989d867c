"""A way to a PostgreSQL server that can swallow what is sent, or break off.

    with database_proxy(cluster) as proxy:
        open_database(proxy.url(name))
        proxy.swallow()     # as a network that loses every packet
        proxy.heal()        # new connections work again; old ones stay dead
        proxy.break_after(100)

It listens on a socket in a folder of its own, on a thread of its own.
"""

import asyncio
import random
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from support.postgres import Cluster

_SOCKET = ".s.PGSQL.5432"
_READ_BYTES = 65_536
_READY_S = 60.0


class DatabaseProxy:
    """Made by `database_proxy`."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._cluster = cluster
        self._folder = folder
        self._is_swallowing = False
        self._most_bytes = 0
        self._dice = random.Random(1)  # noqa: S311 - no secret
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def url(self, name: str) -> str:
        """The URL of a database of the server, through here."""
        return self._cluster.url(name).replace(
            str(self._cluster.folder), str(self._folder)
        )

    def swallow(self) -> None:
        """From now on nothing that either side sends arrives, and nothing is closed."""
        self._is_swallowing = True

    def heal(self) -> None:
        """New connections are sound; what was lost of others stays lost."""
        self._is_swallowing = False
        self._most_bytes = 0

    def break_after(self, most_bytes: int) -> None:
        """End each new connection after some bytes, at most so many, of its answers."""
        self._most_bytes = most_bytes

    def start(self) -> None:
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(self._listen(), self._loop)
        started.result(_READY_S)

    def close(self) -> None:
        ended = asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        ended.result(_READY_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_READY_S)
        self._loop.close()

    async def _listen(self) -> None:
        path = str(self._folder / _SOCKET)
        self._server = await asyncio.start_unix_server(self._serve, path)

    async def _end(self) -> None:
        self._server.close()
        tasks = self._tasks - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        left = self._dice.randrange(self._most_bytes) if self._most_bytes else None
        with suppress(OSError, asyncio.CancelledError):
            upstream = await asyncio.open_unix_connection(
                str(self._cluster.folder / _SOCKET)
            )
            there = asyncio.create_task(self._pass_on(reader, upstream[1], None))
            back = asyncio.create_task(self._pass_on(upstream[0], writer, left))
            try:
                await asyncio.wait((there, back), return_when="FIRST_COMPLETED")
            finally:
                for each in (there, back):
                    each.cancel()
                await asyncio.gather(there, back, return_exceptions=True)
                upstream[1].close()
        writer.close()

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        left: int | None,
    ) -> None:
        has_lost = False
        while data := await reader.read(_READ_BYTES):
            # What comes behind a gap is never delivered.
            has_lost = has_lost or self._is_swallowing
            if has_lost:
                continue
            writer.write(data if left is None else data[:left])
            await writer.drain()
            if left is not None:
                left -= len(data)
                if left <= 0:
                    return


@contextmanager
def database_proxy(cluster: Cluster) -> Iterator[DatabaseProxy]:
    """A proxy that listens until the block ends."""
    with tempfile.TemporaryDirectory(prefix="weighbridge-pgp-") as folder:
        proxy = DatabaseProxy(cluster, Path(folder))
        proxy.start()
        try:
            yield proxy
        finally:
            proxy.close()
