"""Which connections are used again, and what happens when the server closes them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import httpx
import pytest

from support.asking import asked, open_until_done
from support.hostile_server import with_length
from support.listening import listening
from support.recording_server import recording_server
from support.resolvers import ScriptedResolver
from support.wait import wait_until
from weighbridge.net.connections import Connections, PoolRules
from weighbridge.net.failure.request_failures import (
    CutOff,
    KeptConnectionClosed,
    NameNotFound,
)
from weighbridge.net.guard.addresses import SystemResolver

_NO_REST = PoolRules(rest_s=0.0)

Serve = Callable[[int, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def _numbered_server(serve: Serve) -> AsyncIterator[tuple[str, list[int]]]:
    """Calls `serve` with the number of the connection, 1 first."""
    opened: list[int] = []

    async def numbered(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        opened.append(len(opened) + 1)
        await serve(opened[-1], reader, writer)

    async with listening(numbered) as port:
        yield f"http://127.0.0.1:{port}/", opened


async def test_a_connection_is_used_again() -> None:
    async with (
        recording_server() as server,
        open_until_done(Connections(rules=_NO_REST)) as connections,
    ):
        for _ in range(5):
            await asked(connections, f"{server.origin}/")

        assert server.connections == 1


async def test_a_kept_connection_that_closes_unanswered_is_replaced_silently() -> None:
    async def answers_once(
        number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(with_length(b"%d" % number))
        await reader.readuntil(b"\r\n\r\n")

    async with (
        _numbered_server(answers_once) as (url, opened),
        open_until_done(Connections(rules=_NO_REST)) as connections,
    ):
        bodies = [(await asked(connections, url)).content for _ in range(3)]

        assert bodies == [b"1", b"2", b"3"]
        assert opened == [1, 2, 3]


@pytest.mark.parametrize(("method", "content"), [("POST", b"message"), ("GET", None)])
async def test_what_may_not_be_repeated_is_sent_once(
    method: str, content: bytes | None
) -> None:
    received: list[bytes] = []

    async def answers_once(
        number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        received.append(await reader.readuntil(b"\r\n\r\n"))
        await reader.readexactly(len(content or b""))
        writer.write(with_length(b"taken"))
        received.append(await reader.readuntil(b"\r\n\r\n"))

    async with (
        _numbered_server(answers_once) as (url, opened),
        open_until_done(Connections(rules=_NO_REST)) as connections,
    ):

        async def sent() -> httpx.Response:
            return await asked(
                connections, url, method=method, content=content, may_repeat=False
            )

        await sent()
        with pytest.raises(KeptConnectionClosed):
            await sent()

        assert opened == [1]
        assert len(received) == 2


async def test_a_fresh_connection_that_closes_unanswered_is_an_error() -> None:
    async def never_answers(
        number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with (
        _numbered_server(never_answers) as (url, opened),
        open_until_done(Connections()) as connections,
    ):
        with pytest.raises(CutOff):
            await asked(connections, url)

        assert opened == [1]


async def test_an_answer_that_began_is_never_asked_for_again() -> None:
    async def begins(
        number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(with_length(b"whole"))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200")

    async with (
        _numbered_server(begins) as (url, opened),
        open_until_done(Connections(rules=_NO_REST)) as connections,
    ):
        await asked(connections, url)
        with pytest.raises(CutOff):
            await asked(connections, url)

        assert opened == [1]


async def test_a_connection_that_the_server_closed_while_idle_is_not_used() -> None:
    closed = asyncio.Event()

    async def closes(
        number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(with_length(b"%d" % number))
        await writer.drain()
        closed.set()

    async with (
        _numbered_server(closes) as (url, _),
        open_until_done(Connections(rules=_NO_REST)) as connections,
    ):
        await asked(connections, url)
        await closed.wait()

        assert (await asked(connections, url)).content == b"2"


async def test_no_more_requests_are_in_flight_than_there_are_slots() -> None:
    busy: list[int] = []
    most = 0
    is_full = asyncio.Event()

    async def counts(
        number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        nonlocal most
        while True:
            await reader.readuntil(b"\r\n\r\n")
            busy.append(number)
            most = max(most, len(busy))
            if most == 3:
                is_full.set()
            await is_full.wait()
            await asyncio.sleep(0.005)
            busy.remove(number)
            writer.write(with_length(b"ok"))

    async with (
        _numbered_server(counts) as (url, _),
        open_until_done(Connections(connections=3)) as connections,
    ):
        await asyncio.gather(*(asked(connections, url) for _ in range(20)))

        assert most == 3


async def test_many_origins_do_not_keep_many_connections() -> None:
    opened: set[int] = set()

    async def serve(
        number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        opened.add(number)
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(with_length(b"ok"))
        finally:
            opened.remove(number)

    async with (
        _numbered_server(serve) as (url, _),
        open_until_done(
            Connections(resolver=ScriptedResolver(["127.0.0.1"]))
        ) as connections,
    ):
        port = httpx.URL(url).port
        for number in range(100):
            await asked(connections, f"http://host-{number}.example:{port}/")

        await wait_until(lambda: len(opened) <= 64, "old ones close", seen=opened.copy)


class _DeadResolver:
    """Never answers, as a thread that hangs in the system's resolver."""

    async def __call__(self, host: str) -> Sequence[str]:
        await asyncio.Event().wait()
        return []


async def test_a_dead_resolver_ends_at_the_deadline() -> None:
    async with open_until_done(Connections(resolver=_DeadResolver())) as connections:
        with pytest.raises(httpx.ReadTimeout):
            await asked(connections, "http://r.example/", deadline_s=0.1)


class _EmptyResolver:
    async def __call__(self, host: str) -> Sequence[str]:
        raise OSError("no such name")


async def test_a_name_that_does_not_resolve_says_so() -> None:
    async with open_until_done(Connections(resolver=_EmptyResolver())) as connections:
        with pytest.raises(NameNotFound, match="does not resolve"):
            await asked(connections, "http://r.example/")


async def test_the_system_resolver_reads_odd_spellings_and_refuses_bad_labels() -> None:
    resolver = SystemResolver()

    assert await resolver("0x7f.1") == ["127.0.0.1"]
    with pytest.raises(OSError, match="host name"):
        await resolver("a" * 64 + ".example")
    resolver.close()
    with pytest.raises(OSError, match="closed"):
        await resolver("127.0.0.1")


async def test_nobody_listening_is_a_connect_error() -> None:
    async with open_until_done(Connections()) as connections:
        with pytest.raises(httpx.ConnectError, match="no connection"):
            await asked(connections, "http://127.0.0.1:1/")
