"""Requests that end early, by cancel, deadline or close, leave nothing behind."""

import asyncio
import gc
import os
import random
import ssl
import warnings
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from support.asking import asked
from support.certificates import an_authority
from support.listening import listening
from support.wait import PATIENCE_S, wait_until
from weighbridge.net.connection.connect import client_tls
from weighbridge.net.connections import Connections


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@asynccontextmanager
async def _slow_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Answers each path with itself, in three pieces over some milliseconds."""
    chance = random.Random(7)  # noqa: S311 - a load that repeats

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
            length = b"Content-Length: %d\r\n" % len(path)
            for piece in (b"HTTP/1.1 200 OK\r\n" + length, b"\r\n", path):
                await asyncio.sleep(chance.random() * 0.008)
                writer.write(piece)

    scheme = "https" if tls else "http"
    async with listening(serve, tls=tls) as port:
        yield f"{scheme}://127.0.0.1:{port}"


async def _right(
    connections: Connections, url: str, deadline_s: float = PATIENCE_S
) -> bool:
    response = await asked(connections, url, deadline_s=deadline_s)
    return response.content.decode() == httpx.URL(url).path


async def _randomly_cancelled(
    connections: Connections, origin: str, many: int
) -> Sequence[bool | BaseException]:
    chance = random.Random(11)  # noqa: S311 - a load that repeats
    loop = asyncio.get_running_loop()
    tasks = []
    for number in range(many):
        task = asyncio.create_task(_right(connections, f"{origin}/cancel/{number}"))
        # Some at once and some never, however slow the machine is.
        if number % 10 == 0:
            loop.call_soon(task.cancel)
        elif number % 10 < 8:
            loop.call_later(chance.random() * 0.3, task.cancel)
        tasks.append(task)
        if number % 4 == 3:
            await asyncio.sleep(0.004)
    return await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_requests_that_end_early_leave_no_trace(
    secure: bool, tmp_path: Path
) -> None:
    authority = an_authority(tmp_path)
    server_tls = authority.server("127.0.0.1") if secure else None
    before = _descriptors()

    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        async with _slow_server(server_tls) as origin:
            connections = Connections(connections=8, tls=client_tls(authority.ca_file))

            cancelled = await _randomly_cancelled(connections, origin, 300)
            after = await asyncio.gather(
                *(
                    _right(connections, f"{origin}/after/{number}")
                    for number in range(64)
                )
            )
            expired = await asyncio.gather(
                *(
                    _right(connections, f"{origin}/late/{number}", deadline_s=0.012)
                    for number in range(100)
                ),
                return_exceptions=True,
            )
            flying = [
                asyncio.create_task(_right(connections, f"{origin}/closed/{number}"))
                for number in range(20)
            ]
            await asyncio.sleep(0.01)
            await connections.aclose()
            closed = await asyncio.gather(*flying, return_exceptions=True)

        await wait_until(
            lambda: _descriptors() <= before, "descriptors are back", seen=_descriptors
        )
        gc.collect()

    # Every request got its own answer, or the end that was made for it.
    assert {type(end) for end in cancelled} == {bool, asyncio.CancelledError}
    assert False not in cancelled
    assert all(after)
    assert {type(end) for end in expired} <= {bool, httpx.ReadTimeout}
    assert httpx.ReadTimeout in {type(end) for end in expired}
    assert False not in expired
    assert all(end is True or isinstance(end, httpx.RequestError) for end in closed)
    assert any(isinstance(end, httpx.RequestError) for end in closed)


async def test_a_closed_transport_opens_no_connection() -> None:
    async with _slow_server() as origin:
        connections = Connections()
        await connections.aclose()

        with pytest.raises(httpx.ReadError, match="closed"):
            await asked(connections, f"{origin}/")


async def test_closing_ends_a_look_up_without_cancelling_who_waits_for_it() -> None:
    async with _slow_server() as origin:
        connections = Connections()
        named = origin.replace("127.0.0.1", "localhost")
        waiting = asyncio.create_task(asked(connections, f"{named}/"))
        await asyncio.sleep(0)

        await connections.aclose()

        with pytest.raises(httpx.RequestError):
            await waiting
