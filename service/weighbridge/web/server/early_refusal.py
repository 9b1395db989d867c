"""Sends webhooks away before they are parsed, where too many are in hand.

Parsing a request and answering it takes longer than there is time for in a burst: a
thousand senders at once would each wait for all the others, the refused ones too. What
came whole, as small webhooks do, is refused by its first bytes.
"""

import json
import math
import re
from typing import ClassVar, Final

from prometheus_client import Counter

from weighbridge.telemetry import Telemetry
from weighbridge.web.options import SECURITY_HEADERS
from weighbridge.web.server.strict_http import HeadDeadline, has_plain_lines
from weighbridge.web.webhooks.admission import RETRY_AFTER_S, overloaded

IN_HAND: Final = 120
"""Webhooks that are parsed, committed and answered at the same time."""
RENEWED_S: Final = 1.0
"""So often at most the clocks of a connection are set by refusals."""
_BEGIN: Final = b"POST /webhooks/"
_PATH: Final = re.compile(rb"POST /webhooks/([a-z]{1,20})(/)?")
_LENGTH: Final = re.compile(
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
    lengths = _LENGTH.findall(lines)
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
