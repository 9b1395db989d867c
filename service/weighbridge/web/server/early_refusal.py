"""What is refused before an app sees it: webhooks that are too many at once, requests
that two programs could read as different ones, and heads that do not come.

Parsing a request and answering it takes longer than there is time for in a burst: a
thousand senders at once would each wait for all the others, the refused ones too. What
came whole, as small webhooks do, is refused by its first bytes.

h11 takes a line that ends in LF alone (RFC 9112 2.2), a field that goes on in the next
line (5.2), and both lengths of a body at once (6.3). A proxy in front may read each of
them otherwise: then what it takes for a part of one request is another request to us,
and is answered to whoever asks next (request smuggling).

uvicorn gives up on a connection only between two requests. One that sends nothing, or a
byte now and then, would be held for ever: a few thousand of them, and nobody else gets
in.
"""

import asyncio
import json
import math
import re
from typing import ClassVar, Final

import h11
from prometheus_client import Counter
from uvicorn.protocols.http.h11_impl import H11Protocol

from weighbridge.telemetry import Telemetry
from weighbridge.web.options import SECURITY_HEADERS
from weighbridge.web.webhooks.inbox import RETRY_AFTER_S, overloaded

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


IN_HAND: Final = 120
"""Webhooks that are parsed, committed and answered at the same time."""
RENEWED_S: Final = 1.0
"""So often at most the clocks of a connection are set by refusals."""
_BEGIN: Final = b"POST /webhooks/"
_PATH: Final = re.compile(rb"POST /webhooks/([a-z]{1,20})(/)?")
_CONTENT_LENGTH: Final = re.compile(
    rb"\r\ncontent-length:[ \t]*([0-9]{1,7})[ \t]*(?=\r\n)", re.IGNORECASE
)
_LAST: Final = (b" http/1.0\r\n", b"\r\nconnection: close\r\n")
"""In the head of a client that asks no more, see RFC 9112 9.6."""
_LONGER: Final = re.compile(rb"\r\n(?:transfer-encoding|expect)[ \t]*:", re.IGNORECASE)


class EarlyRefusal:
    """How many webhooks are in hand; of one event loop."""

    def __init__(self, telemetry: Telemetry, sources: frozenset[str]) -> None:
        self._telemetry = telemetry
        self._sources = sources
        self._counters: dict[tuple[str, bool], tuple[Counter, ...]] = {}
        self.in_hand = 0

    @property
    def is_on(self) -> bool:
        return self.in_hand >= IN_HAND

    def note(self, request: bytes) -> None:
        """Count one that was sent away."""
        found = _PATH.match(request)
        source = found[1].decode("ascii") if found else ""
        kind = (source if source in self._sources else "", bool(found and found[2]))
        counters = self._counters.get(kind)
        if counters is None:
            # To find a counter by its labels takes longer than to refuse.
            counters = self._counters[kind] = self._counters_of(*kind)
        for counter in counters:
            counter.inc()

    def _counters_of(self, source: str, has_secret: bool) -> tuple[Counter, ...]:
        route = "/webhooks/{source}/{secret}" if has_secret else "/webhooks/{source}"
        requests = self._telemetry.http_requests.labels("POST", route, "503")
        if not source:
            return (requests,)
        rejections = self._telemetry.webhook_rejections
        return requests, rejections.labels(source, "overload")


class EarlyRefusalProtocol(HeadDeadline):
    """HTTP/1.1 as for everything else, with a quick refusal for webhooks."""

    refusal: ClassVar[EarlyRefusal]
    _is_in_hand = False
    _renewed_at = -math.inf

    def data_received(self, data: bytes) -> None:
        # What only begins is not counted: whoever sends nothing more would take the
        # room of all others.
        if data.startswith(_BEGIN) and self._is_between_requests and is_whole(data):
            if self.refusal.is_on:
                self._refuse(data)
                return
            self._is_in_hand = True
            self.refusal.in_hand += 1
        super().data_received(data)

    def on_response_complete(self) -> None:
        self._let_go()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._let_go()
        super().connection_lost(exc)

    @property
    def _is_between_requests(self) -> bool:
        """Whether these bytes are the first of a request."""
        is_idle = self.cycle is None or self.cycle.response_complete
        return is_idle and not self._is_in_hand and not self.conn.trailing_data[0]

    def _refuse(self, data: bytes) -> None:
        self.transport.write(REFUSAL)
        self.refusal.note(data)
        if is_last(data):
            self.transport.close()
        else:
            self._wait_for_the_next()

    def _wait_for_the_next(self) -> None:
        """As after any other answer, but not at each refusal: to set the clocks takes
        longer than to refuse, and they run for several seconds."""
        now = self.loop.time()
        if now - self._renewed_at < RENEWED_S:
            return
        self._renewed_at = now
        self._end_waiting()
        self._await_head()
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def _let_go(self) -> None:
        if self._is_in_hand:
            self._is_in_hand = False
            self.refusal.in_hand -= 1


def refusing_protocol(refusal: EarlyRefusal) -> type[EarlyRefusalProtocol]:
    """The protocol of one server."""
    return type("RefusingProtocol", (EarlyRefusalProtocol,), {"refusal": refusal})


def is_whole(data: bytes) -> bool:
    """Whether this is one request from its first byte to its last."""
    head, end, body = data.partition(b"\r\n\r\n")
    lines = head + b"\r\n"
    lengths = _CONTENT_LENGTH.findall(lines)
    if not end or len(lengths) != 1 or _LONGER.search(lines):
        return False
    return has_plain_lines(lines) and int(lengths[0]) == len(body)


def is_last(data: bytes) -> bool:
    """Whether the connection is to be closed behind the answer."""
    head = data.partition(b"\r\n\r\n")[0].lower() + b"\r\n"
    return any(words in head for words in _LAST)


def _refusal() -> bytes:
    """The same answer that the application gives."""
    refusal = overloaded()
    shape = {"code": refusal.code, "message": refusal.message, "detail": None}
    body = json.dumps({"error": shape}).encode("ascii")
    headers = dict(SECURITY_HEADERS) | {
        "cache-control": "no-store",
        "retry-after": str(RETRY_AFTER_S),
        "content-type": "application/json",
        "content-length": str(len(body)),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 503 Service Unavailable\r\n{lines}\r\n".encode("ascii") + body


REFUSAL: Final = _refusal()
