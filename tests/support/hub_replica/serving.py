"""The replica on three ports of loopback, in a thread with a loop of its own."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from http import HTTPStatus

from support.hub_replica.answers import Reply, Request, api, registry, token_service
from support.hub_replica.state import Hub
from support.listening import Serve, listening

Answering = Callable[[Hub, Request], Reply]


@contextmanager
def hub_replica(hub: Hub) -> Iterator[Hub]:
    """Serve it; its URLs are known inside the block."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    ended = asyncio.Event()
    thread = threading.Thread(
        target=lambda: loop.run_until_complete(_serve(hub, ready, ended)),
        name="docker-hub",
        daemon=True,
    )
    thread.start()
    try:
        assert ready.wait(60), "the replica did not start"
        yield hub
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(60)
        loop.close()


async def _serve(hub: Hub, ready: threading.Event, ended: asyncio.Event) -> None:
    async with AsyncExitStack() as stack:
        for name, answering in (
            ("api_url", api),
            ("registry_url", registry),
            ("token_url", token_service),
        ):
            port = await stack.enter_async_context(listening(_host(hub, answering)))
            setattr(hub, name, f"http://127.0.0.1:{port}")
        ready.set()
        await ended.wait()


def _host(hub: Hub, answering: Answering) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            asked = _request(head)
            length = int(asked.headers.get("content-length", "0"))
            if length:
                body = await reader.readexactly(length)
                asked = Request(asked.method, asked.target, asked.headers, body)
            writer.write(_raw(asked.method, answering(hub, asked)))
            await writer.drain()

    return serve


def _request(head: bytes) -> Request:
    line, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, target, _ = line.split(" ")
    fields = (field.partition(":") for field in lines)
    return Request(method, target, {k.lower(): v.strip() for k, _, v in fields})


def _raw(method: str, reply: Reply) -> bytes:
    length = len(reply.body) if reply.length is None else reply.length
    lines = [
        f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}",
        *(f"{name}: {value}" for name, value in reply.headers),
        f"Content-Length: {length}",
    ]
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    return head if method == "HEAD" else head + reply.body
