"""What the replicas of vendors share: requests and replies as values, and hosts on
ports of loopback that answer each request by a function."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeAlias
from urllib.parse import urlsplit

from support.listening import listening_in_thread

Fields: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """Header names are lower case. at: the time on the wall when it was read"""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    at: float = field(default_factory=time.time, compare=False)

    @property
    def authorization(self) -> str:
        return self.headers.get("authorization", "")


@dataclass(frozen=True, slots=True)
class Reply:
    """length: Content-Length of an answer to HEAD; None: the body's"""

    status: int
    headers: Fields = ()
    body: bytes = b""
    length: int | None = None


Answering: TypeAlias = Callable[[Request], Reply]
_HEARD: ContextVar[list[Request] | None] = ContextVar("heard", default=None)


def json_reply(status: int, value: object, more: Fields = ()) -> Reply:
    head = (("Content-Type", "application/json"), *more)
    return Reply(status, head, json.dumps(value).encode())


def host_of(url: str) -> str:
    """Such as 127.0.0.1:41234."""
    return urlsplit(url).netloc


@contextmanager
def hearing() -> Iterator[list[Request]]:
    """All that the hosts which begin in this block are asked, until they end."""
    heard: list[Request] = []
    before = _HEARD.set(heard)
    try:
        yield heard
    finally:
        _HEARD.reset(before)


@contextmanager
def vendor_host(answering: Answering) -> Iterator[str]:
    """One host on a port of its own, in a thread with a loop of its own. Gives its
    URL."""
    heard = _HEARD.get()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            asked = _request(await reader.readuntil(b"\r\n\r\n"))
            length = int(asked.headers.get("content-length", "0"))
            if length:
                body = await reader.readexactly(length)
                asked = Request(asked.method, asked.target, asked.headers, body)
            if heard is not None:
                heard.append(asked)
            writer.write(_raw(asked.method, answering(asked)))
            await writer.drain()

    with listening_in_thread(serve) as port:
        yield f"http://127.0.0.1:{port}"


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
