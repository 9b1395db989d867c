"""Listening on loopback for the length of a block, and leaving nothing open after."""

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final

_PATIENCE_S: Final = 60.0
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(
    serve: Serve,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """Run `serve` for each connection, and close that when it returns or the client
    has gone. Gives the port. Connections end with the block."""
    tasks: set[asyncio.Task[None]] = set()

    async def connection(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        if task is not None:
            tasks.add(task)
        try:
            with suppress(asyncio.IncompleteReadError, OSError):
                await serve(reader, writer)
            writer.close()
        except asyncio.CancelledError:
            writer.transport.abort()
        with suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()

    server = await asyncio.start_server(connection, host, port, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        # Connections that were accepted in this moment begin now.
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def listening_in_thread(serve: Serve) -> Iterator[int]:
    """The same from a thread with a loop of its own. Gives the port."""
    loop = asyncio.new_event_loop()
    ready, ended = threading.Event(), asyncio.Event()
    ports: list[int] = []

    async def listen() -> None:
        async with listening(serve) as port:
            ports.append(port)
            ready.set()
            await ended.wait()

    thread = threading.Thread(
        target=lambda: loop.run_until_complete(listen()), name="listening", daemon=True
    )
    thread.start()
    try:
        assert ready.wait(_PATIENCE_S), "it did not begin to listen"
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(_PATIENCE_S)
        loop.close()
