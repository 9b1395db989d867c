"""A receiver of messages on a real socket, with a switch for each of its faults."""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from support.listening import listening

Fault: TypeAlias = Literal[
    "none",
    "redirect",
    "refuses",
    "gone",
    "busy",
    "broken",
    "silent",
    "drips",
    "endless",
]

ENDLESS_BYTES: Final = 1 << 30
_PIECE: Final = b"x" * 65_536
_BEGINNINGS: Final = {
    "none": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "redirect": b"HTTP/1.1 301 Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
    "refuses": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 15\r\n\r\ninvalid_payload",
    "gone": b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n",
    "busy": b"HTTP/1.1 429 Busy\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n",
    "broken": b"HTTP/1.1 503 Broken\r\nContent-Length: 0\r\n\r\n",
    "endless": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % ENDLESS_BYTES,
    "drips": b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n",
}


@dataclass(frozen=True, slots=True)
class Taken:
    """One request as it arrived; field names in lower case."""

    target: str
    fields: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


@dataclass(slots=True)
class MessageSink:
    """Takes everything, until a fault is switched on.

    sent_bytes:  of bodies without end
    """

    host: str
    scheme: str
    port: int = 0
    fault: Fault = "none"
    location: str = ""
    taken: list[Taken] = field(default_factory=list)
    connections: int = 0
    sent_bytes: int = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}/services/T000/B000/SECRET"

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """One connection, one message."""
        self.connections += 1
        self.taken.append(await _read(reader))
        if self.fault == "silent":
            await asyncio.sleep(600)
        beginning = _BEGINNINGS[self.fault]
        if self.fault == "redirect":
            beginning %= self.location.encode()
        writer.write(beginning)
        await writer.drain()
        while self.fault == "endless" and self.sent_bytes < ENDLESS_BYTES:
            writer.write(_PIECE)
            await writer.drain()
            self.sent_bytes += len(_PIECE)
        while self.fault == "drips":
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(1)


async def _read(reader: asyncio.StreamReader) -> Taken:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    assert method == "POST"
    pairs = (re.split(": ", line, maxsplit=1) for line in lines)
    fields = {name.lower(): value for name, value in pairs}
    body = await reader.readexactly(int(fields["content-length"]))
    return Taken(target, fields, body)


@asynccontextmanager
async def message_sink(
    host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[MessageSink]:
    """A sink that listens until the block ends."""
    sink = MessageSink(host, "https" if tls else "http")
    async with listening(sink.serve, host, tls=tls) as sink.port:
        yield sink
