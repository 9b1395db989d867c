"""A fast read-only registry on a port, and the few addresses that steer it.

    GET    /_counts   requests by kind since the last DELETE, as a JSON object
    DELETE /_counts   the same, and count from nothing again
    POST   /_changes  a JSON list of changes, see `changes.Change`; 200, or 400

For loopback and tests only.
"""

import asyncio
from typing import Final

from support.replica.changes import ChangingContent, parse_changes
from support.replica.replies import Headers, Replies, document
from weighbridge.demo.content.stored_documents import RegistryContent

KEPT_BYTES: Final = 256 * 1024 * 1024
_END_OF_HEAD: Final = b"\r\n\r\n"
_HEAD_BYTES: Final = 16 * 1024
_BODY_BYTES: Final = 64 * 1024 * 1024


class ReplicaServer:
    """Serves a content; each answer comes `delay_s` after its request."""

    def __init__(
        self,
        content: RegistryContent,
        *,
        delay_s: float = 0.0,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        self.content = ChangingContent(content)
        self.replies = Replies(self.content, kept_bytes)
        self.delay_s = delay_s

    async def serve(self, host: str, port: int) -> asyncio.Server:
        """Listen; port 0 takes a free one. Raises OSError."""
        loop = asyncio.get_running_loop()
        return await loop.create_server(
            lambda: _Connection(self), host, port, backlog=1024
        )

    def steer(self, method: str, target: str, body: bytes) -> bytes:
        """The answer to a request for one of the server's own addresses."""
        if target == "/_counts" and method in ("GET", "DELETE"):
            counted = dict(sorted(self.replies.counts.items()))
            if method == "DELETE":
                self.replies.counts.clear()
            return document(200, counted)
        if target == "/_changes" and method == "POST":
            try:
                self.content.apply(parse_changes(body))
            except ValueError as exc:
                return document(400, {"error": str(exc)})
            finally:
                self.replies.forget()
            return document(200, {})
        return document(404, {"error": "GET or DELETE /_counts, POST /_changes"})


class _Connection(asyncio.Protocol):
    """One client's connection: one request after the other."""

    def __init__(self, server: ReplicaServer) -> None:
        self._server = server
        self._replies = server.replies
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self._is_waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a registry speaks over streams only")
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._go_on()

    def _go_on(self) -> None:
        while self._received and self._transport is not None and not self._is_waiting:
            head, end, rest = self._received.partition(_END_OF_HEAD)
            if not end:
                if len(head) > _HEAD_BYTES or not head[:1].isalpha():
                    self._transport.close()
                return
            line, _, block = head.partition(b"\r\n")
            headers = self._replies.headers(block)
            if b" /_" in line or not headers.is_plain:
                length = int(headers.fields.get("content-length", "0"))
                if len(rest) < length <= _BODY_BYTES:
                    return
                self._received = rest[length:]
                self._answer_particular(line, headers, rest[:length])
            else:
                self._received = rest
                self._answer(self._replies.reply(line, headers), headers.is_last)

    def _answer_particular(self, line: bytes, headers: Headers, body: bytes) -> None:
        """What is the server's own, or more than its line."""
        method, target = line.decode("latin-1").split(" ")[:2]
        if target.startswith("/_"):
            raw = self._server.steer(method, target, body)
            self._write(raw, headers.is_last)
        else:
            self._answer(self._replies.reply(line, headers), headers.is_last)

    def _answer(self, raw: bytes, is_last: bool) -> None:
        delay_s = self._server.delay_s
        if not delay_s:
            self._write(raw, is_last)
            return
        self._is_waiting = True
        loop = asyncio.get_running_loop()
        loop.call_later(delay_s, self._answer_late, raw, is_last)

    def _answer_late(self, raw: bytes, is_last: bool) -> None:
        self._is_waiting = False
        self._write(raw, is_last)
        self._go_on()

    def _write(self, raw: bytes, is_last: bool) -> None:
        if self._transport is not None:
            self._transport.write(raw)
            if is_last:
                self._transport.close()
