"""The demo registry on a port: a small HTTP/1.1 server for GET and HEAD.

Written for load tests as well: one asyncio.Protocol, no task and no stream a
request, so that the registry is never what a crawl waits for.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Coroutine, Iterator
from http import HTTPStatus
from typing import Final

from weighbridge.demo.content.stored_documents import RegistryContent
from weighbridge.demo.http.replies import DemoReply, answer

_HEAD_BYTES: Final = 16 * 1024
_CHUNK_BYTES: Final = 64 * 1024
_END_OF_HEAD: Final = b"\r\n\r\n"
_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}
_SEPARATE_WRITE_BYTES: Final = 16 * 1024


class DemoServer:
    """A read-only registry over some content.

    content:  what is served; may be replaced at any time, so that one address can
        live through the demo's moments
    requests: how many were answered, by kind: ping, catalog, tags, head_manifest,
        get_manifest, head_blob, get_blob, get_range, other
    """

    def __init__(self, content: RegistryContent) -> None:
        self.content = content
        self.requests: Counter[str] = Counter()
        self.connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self), host, port, backlog=1024
        )

    @property
    def url(self) -> str:
        """Such as http://127.0.0.1:41234, without a slash at the end."""
        if self._server is None:
            raise RuntimeError("the demo registry has not been started")
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def close(self) -> None:
        """Stop listening and drop every connection; idempotent."""
        if self._server is None:
            return
        self._server.close()
        for connection in tuple(self.connections):
            connection.abort()
        await self._server.wait_closed()
        self._server = None


class _Connection(asyncio.Protocol):
    """One client's connection: heads in, answers out, in order."""

    def __init__(self, server: DemoServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._sending: Iterator[bytes] | None = None
        self._is_paused = False
        self._is_last = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("the demo registry answers over streams only")
        self._transport = transport
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._sending = None
        self._server.connections.discard(self)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._go_on()

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._go_on()

    def _go_on(self) -> None:
        """Send what is begun, then answer what has come in, unless told to wait."""
        while self._transport is not None and not self._is_paused:
            if self._sending is not None:
                self._send_chunk(self._transport)
            elif self._is_last:
                self._transport.close()
                return
            elif not self._answer_one(self._transport):
                return

    def _send_chunk(self, transport: asyncio.Transport) -> None:
        chunk = next(self._sending, None) if self._sending is not None else None
        if chunk is None:
            self._sending = None
        else:
            transport.write(chunk)

    def _answer_one(self, transport: asyncio.Transport) -> bool:
        """Whether a whole request was there."""
        head, end, rest = self._received.partition(_END_OF_HEAD)
        if not end:
            # A client that tries TLS first (skopeo) is told at once, not by its
            # own timeout.
            if head and not head[:1].isalpha():
                self._refuse(transport, 400)
            elif len(head) > _HEAD_BYTES:
                self._refuse(transport, 431)
            return False
        self._received = rest
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        headers = _headers(lines[1:])
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            self._refuse(transport, 400)
            return False
        method, target, version = words
        if _has_body(headers):
            # A body would have to be skipped before the next head: better the end.
            self._is_last = True
            self._received = b""
        if version == "HTTP/1.0" or headers.get("connection", "").lower() == "close":
            self._is_last = True
        self._send(
            transport, method, answer(self._server.content, method, target, headers)
        )
        return True

    def _send(
        self, transport: asyncio.Transport, method: str, reply: DemoReply
    ) -> None:
        self._server.requests[reply.kind] += 1
        head = _head(reply, is_last=self._is_last)
        if method == "HEAD" or reply.status == HTTPStatus.NOT_MODIFIED:
            transport.write(head)
        elif reply.blob is None:
            transport.write(head + reply.body)
        elif reply.content_length <= _SEPARATE_WRITE_BYTES:
            transport.write(head + reply.blob.read(reply.first, reply.last))
        else:
            transport.write(head)
            self._sending = _chunks(reply)

    def _refuse(self, transport: asyncio.Transport, status: int) -> None:
        refusal = DemoReply("other", status, (("Content-Type", "text/plain"),))
        self._server.requests["other"] += 1
        transport.write(_head(refusal, is_last=True))
        transport.close()


def _headers(lines: list[str]) -> dict[str, str]:
    """By lower-case name; a repeated one is one list (RFC 9110 5.3)."""
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _has_body(headers: dict[str, str]) -> bool:
    length = headers.get("content-length", "0")
    return length != "0" or "transfer-encoding" in headers


def _head(reply: DemoReply, *, is_last: bool) -> bytes:
    lines = [
        f"HTTP/1.1 {reply.status} {_REASONS[reply.status]}",
        "Docker-Distribution-API-Version: registry/2.0",
        *(f"{name}: {value}" for name, value in reply.headers),
    ]
    # RFC 9110 15.4.5: 304 has no content, and no length of one that was not sent.
    if reply.status != HTTPStatus.NOT_MODIFIED:
        lines.append(f"Content-Length: {reply.content_length}")
    if is_last:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _chunks(reply: DemoReply) -> Iterator[bytes]:
    if reply.blob is None:
        return
    for first in range(reply.first, reply.last + 1, _CHUNK_BYTES):
        yield reply.blob.read(first, min(first + _CHUNK_BYTES - 1, reply.last))


class RunningDemo:
    """A demo registry in a thread of its own, for code that is not async.

    url: as of its server
    Raises OSError where the port cannot be had.
    """

    def __init__(self, content: RegistryContent, port: int = 0) -> None:
        self.server = DemoServer(content)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="demo-registry", daemon=True
        )
        self._thread.start()
        try:
            self._run(self.server.start(port=port))
        except OSError:
            self.close()
            raise
        self.url = self.server.url

    def close(self) -> None:
        """Stop and wait until every socket is closed; idempotent."""
        if self._thread.is_alive():
            self._run(self.server.close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _run(self, work: Coroutine[object, object, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()
