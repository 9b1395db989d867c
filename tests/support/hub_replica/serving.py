"""The replica on three ports of loopback, each in a thread with a loop of its own."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus

from support.hub_replica.answers import Reply, Request, api, registry, token_service
from support.hub_replica.state import Hub
from support.listening import Serve, listening_in_thread

Answering = Callable[[Hub, Request], Reply]


@contextmanager
def hub_replica(hub: Hub) -> Iterator[Hub]:
    """Serve it; its URLs are known inside the block."""
    with ExitStack() as stack:
        for name, answering in (
            ("api_url", api),
            ("registry_url", registry),
            ("token_url", token_service),
        ):
            port = stack.enter_context(listening_in_thread(_host(hub, answering)))
            setattr(hub, name, f"http://127.0.0.1:{port}")
        yield hub


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
