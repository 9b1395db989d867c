"""Refuses requests that two programs could read as different ones, and heads that do
not come.

h11 takes a line that ends in LF alone (RFC 9112 2.2), a field that goes on in the next
line (5.2), and both lengths of a body at once (6.3). A proxy in front may read each of
them otherwise: then what it takes for a part of one request is another request to us,
and is answered to whoever asks next (request smuggling).

uvicorn gives up on a connection only between two requests. One that sends nothing, or
a byte now and then, would be held for ever: a few thousand of them, and nobody else
gets in.
"""

import asyncio
import re
from typing import ClassVar, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_LENGTH: Final = re.compile(rb"\ncontent-length[ \t]*:", re.IGNORECASE)
_CODING: Final = re.compile(rb"\ntransfer-encoding[ \t]*:", re.IGNORECASE)
_OLD: Final = re.compile(rb"[^\n]* HTTP/1\.0\r\n")
_LINES: Final = b"\r\n\r\n"
"""The last line of a head, or of a body in chunks, and the empty one behind it."""


def head_fault(data: bytes) -> str | None:
    """What is ambiguous in the head that these bytes begin with; None for nothing, or
    for a head that is not whole yet."""
    end = _end_of(data)
    if end is None:
        return None
    head = data[:end]
    if not has_plain_lines(head):
        return "a line does not end in CRLF, or a field continues in the next one"
    if b"transfer-encoding" not in head.lower() or not _CODING.search(head):
        return None
    if _LENGTH.search(head):
        return "both Content-Length and Transfer-Encoding"
    # RFC 9112 6.1: its framing is faulty.
    return "Transfer-Encoding in HTTP/1.0" if _OLD.match(head) else None


def has_plain_lines(head: bytes) -> bool:
    """Whether each line ends in CRLF, and none belongs to the field before it."""
    # Counted, not matched: this is done for every request.
    if not head.count(b"\r\n") == head.count(b"\n") == head.count(b"\r"):
        return False
    return b"\n " not in head and b"\n\t" not in head


def _end_of(data: bytes) -> int | None:
    """Where h11 sees the end of a head: behind the first empty line, which may end in
    LF alone."""
    ends = [
        place + len(line)
        for line in (b"\n\r\n", b"\n\n")
        if (place := data.find(line)) >= 0
    ]
    return min(ends, default=None)


class StrictConnection(h11.Connection):
    """A server's connection that raises RemoteProtocolError for such a request."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__(h11.SERVER, most_bytes)
        self._recent = b""
        self._is_chunked = False

    def receive_data(self, data: bytes) -> None:
        """Keeps what is not read yet once more, with the last bytes that were read."""
        unread = len(self.trailing_data[0])
        self._recent = self._recent[-(unread + len(_LINES)) :] + data
        super().receive_data(data)

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """As in h11."""
        if self.their_state is h11.IDLE:
            fault = head_fault(self.trailing_data[0])
            if fault is not None:
                raise h11.RemoteProtocolError(fault)
        event = super().next_event()
        if isinstance(event, h11.Request):
            # h11 gives names in lower case.
            names = (name for name, _ in event.headers)
            self._is_chunked = b"transfer-encoding" in names
        elif isinstance(event, h11.EndOfMessage) and self._is_chunked:
            self._check_end(event)
        return event

    def _check_end(self, event: h11.EndOfMessage) -> None:
        """The last chunk and the empty line end in CRLF, and between them is nothing:
        nobody whom we know sends trailer fields, and they would have to be read as
        strictly as a head."""
        read = len(self._recent) - len(self.trailing_data[0])
        lines = self._recent[max(read - len(_LINES), 0) : read]
        if event.headers or lines != _LINES:
            raise h11.RemoteProtocolError("the body does not end in an empty chunk")


HEAD_BYTES: Final = 32 * 1024
"""Of a request's line and fields together."""


class HeadDeadline(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with a deadline for request line and fields, and
    400 for what could be read in two ways."""

    head_s: ClassVar[float] = 10.0
    _head_due: asyncio.TimerHandle | None = None

    def connection_made(  # type: ignore[override]  # uvicorn's own signature
        self, transport: asyncio.Transport
    ) -> None:
        self.conn = StrictConnection(HEAD_BYTES)
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # There is a cycle for each request whose head was read.
        if self.cycle is None or self.cycle.response_complete:
            self._await_head()
        else:
            self._end_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_waiting()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """And close the connection. Where an answer has begun there is no place for
        another one."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()

    def _await_head(self) -> None:
        """From the first byte of the head on, or from the connection's begin."""
        if self._head_due is None:
            self._head_due = self.loop.call_later(self.head_s, self.transport.close)

    def _end_waiting(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None
