"""A small HTTP server on a real socket that remembers all that reached it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from support.listening import listening

Route = tuple[int, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived; field names in lower case."""

    method: str
    target: str
    fields: dict[str, str]


@dataclass(slots=True)
class RecordingServer:
    """Answers 200 "hello", or what `routes` says for a path, and counts.

    connections: how many were opened, with or without a request
    """

    host: str = "127.0.0.1"
    port: int = 0
    scheme: str = "http"
    connections: int = 0
    seen: list[Seen] = field(default_factory=list)
    routes: dict[str, Route] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """The URL of its root, without a slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def redirect(self, path: str, location: str, status: int = 307) -> None:
        """From now on `path` redirects."""
        self.routes[path] = (status, {"Location": location})

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """One connection."""
        self.connections += 1
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(self._answer(head.decode("latin-1")))

    def _answer(self, head: str) -> bytes:
        first, *lines = head.rstrip().split("\r\n")
        method, target, _ = first.split(" ")
        pairs = (line.split(": ", 1) for line in lines)
        fields = {name.lower(): value for name, value in pairs}
        self.seen.append(Seen(method, target, fields))
        status, extra = self.routes.get(target.partition("?")[0], (200, {}))
        answer = f"HTTP/1.1 {status} So\r\nContent-Length: 5\r\n"
        answer += "".join(f"{name}: {value}\r\n" for name, value in extra.items())
        return (answer + "\r\n" + ("" if method == "HEAD" else "hello")).encode()


@asynccontextmanager
async def recording_server(
    host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[RecordingServer]:
    """A RecordingServer that listens until the block ends."""
    recorded = RecordingServer(host=host, scheme="https" if tls else "http")
    async with listening(recorded.serve, host, port, tls) as recorded.port:
        yield recorded
