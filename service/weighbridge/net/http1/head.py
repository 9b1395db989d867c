"""Heads of HTTP/1.1 (RFC 9112, 2): a request in plain values, with what bounds its
answer, and its bytes; and the fields of an answer by name, with how long a server asks
us to stay away by them: `Retry-After`, and what APIs have.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final, Protocol, runtime_checkable

import httpx
from msgspec import Struct

from weighbridge.domain.limits import RETRY_AFTER_MAX_S, RETRY_AFTER_MIN_S
from weighbridge.net.guard.addresses import Address, Reach
from weighbridge.net.http1.answer import HTTPAnswer

_REQUEST: Final = re.compile(
    rb"(?:GET|HEAD|POST) [\x21-\x7e]+ HTTP/1\.1\r\n"
    rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [\t\x20-\x7e\x80-\xff]*\r\n)+"
    rb"\r\n"
)


# What is said here, whatever a request says besides.
_OURS: Final = frozenset(
    {b"host", b"accept-encoding", b"content-length", b"transfer-encoding"}
)


class HTTPRequest(Struct, frozen=True):
    """A GET, HEAD or POST.

    fields:     names and values as they are sent, besides `Host`, `Accept-Encoding`
                and the length of the body
    ceiling:    how near the address may be
    body_limit: bytes of the answer's body; a longer one is not read to its end
    deadline_s: for everything, from waiting for a connection to the last byte
    may_repeat: whether it may be sent once more where the server closed a kept
                connection before a byte of its answer: it may have acted on it
    body:       of a POST, the one method that has one
    """

    method: str
    address: Address
    fields: list[tuple[bytes, bytes]]
    ceiling: Reach
    body_limit: int
    deadline_s: float
    may_repeat: bool
    body: bytes = b""

    def __repr__(self) -> str:
        """Without its path, its fields and its body, which may hold secrets."""
        return f"<{self.method} {self.address.shown}>"


@runtime_checkable
class Opener(Protocol):
    """What opens connections by itself: `Connections`."""

    async def reach(self, address: Address, ceiling: Reach) -> None:
        """Open one and close it. Raises httpx.RequestError."""


class Sender(Protocol):
    """What sends requests: `Connections`, or a script in tests."""

    async def send(self, request: HTTPRequest) -> HTTPAnswer:
        """The whole answer. Raises httpx.RequestError, see `request_failures`."""

    async def aclose(self) -> None:
        """End every connection."""


def request_bytes(request: HTTPRequest) -> bytes:
    """A request as it is sent. Raises httpx.LocalProtocolError for another method,
    for a body where none belongs, and where a field would break out of its line."""
    body = request.body
    fields = [(b"Host", request.address.netloc), (b"Accept-Encoding", b"identity")]
    fields += [field for field in request.fields if field[0].lower() not in _OURS]
    if body:
        fields.append((b"Content-Length", b"%d" % len(body)))
    lines = [b"%s %s HTTP/1.1" % (request.method.encode(), request.address.target)]
    lines += [b"%s: %s" % field for field in fields]
    wire = b"\r\n".join(lines) + b"\r\n\r\n"
    is_one = wire.count(b"\r\n") == len(fields) + 2
    if not is_one or _REQUEST.fullmatch(wire) is None:
        raise httpx.LocalProtocolError("not a request with valid header fields")
    if (request.method == "POST") != bool(body):
        raise httpx.LocalProtocolError("a POST has a body, and nothing else has")
    return wire + body


class Fields:
    """Fields by their names, whose case does not matter (RFC 9110 5.1).

    Made of bytes as they came. Text is UTF-8 where it can be, else Latin-1: what it
    holds is a stranger's, and whoever prints it escapes it.
    """

    __slots__ = ("_values",)

    def __init__(self, fields: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self._values: dict[bytes, list[bytes]] = {}
        for name, value in fields:
            key = name.lower()
            if key in self._values:
                self._values[key].append(value)
            else:
                self._values[key] = [value]

    def __contains__(self, name: str) -> bool:
        return _key(name) in self._values

    def get(self, name: str) -> str:
        """The value, "" where there is none; several are joined by commas, which
        means the same (RFC 9110 5.3)."""
        return ", ".join(self.get_list(name))

    def get_list(self, name: str) -> list[str]:
        """Every value in its order."""
        values = self._values.get(_key(name))
        return [] if values is None else [_text(value) for value in values]


def _key(name: str) -> bytes:
    return name.lower().encode("latin-1", "replace")


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


RETRY_AFTER: Final = "retry-after"
REMAINING: Final = "x-ratelimit-remaining"
_DIGITS: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
# RFC 9110 5.6.7, IMF-fixdate; the two obsolete forms are treated as not understood.
_DATE: Final = re.compile(
    r"[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT", re.ASCII
)
# Docker Hub sends the time itself, in Unix seconds. Nobody asks for thirty years.
_FIRST_UNIX_TIME: Final = 1_000_000_000


def asked_wait(
    fields: Fields, now: datetime, names: Iterable[str] = (RETRY_AFTER,)
) -> float | None:
    """Seconds that Retry-After asks for, None where it is absent or asks for no wait.
    names: what this server calls it, in lower case"""
    for name in names:
        if name in fields:
            return parse(fields.get(name), now)
    return None


def until_reset(fields: Fields, now: datetime) -> float | None:
    """Seconds until an API's own limit begins anew, where it says that none of it is
    left (`X-RateLimit-Remaining: 0`) and when; else None."""
    if fields.get(REMAINING).strip(" \t") != "0":
        return None
    reset = fields.get("x-ratelimit-reset").strip(" \t")
    is_time = _DIGITS.fullmatch(reset) and int(reset) >= _FIRST_UNIX_TIME
    return parse(reset, now) if is_time else None


def parse(value: str, now: datetime) -> float | None:
    """Seconds to wait from `now` (aware), 1 s to 15 min; None where the value asks for
    no wait: zero, a time that has passed, or nothing that can be read. Whoever asks
    again then keeps to its own pauses.

    RFC 9110 10.2.3: seconds or a date; Unix time as well.
    """
    text = value.strip(" \t")
    if _DIGITS.fullmatch(text):
        return _clamped(_seconds(int(text), now))
    if _DATE.fullmatch(text):
        return _clamped(_until(text, now))
    return None


def _seconds(number: int, now: datetime) -> float:
    if number < _FIRST_UNIX_TIME:
        return float(number)
    return number - now.timestamp()


def _until(date: str, now: datetime) -> float:
    try:
        return (parsedate_to_datetime(date) - now).total_seconds()
    except (ValueError, OverflowError):
        return 0.0  # a date that no calendar has


def _clamped(seconds: float) -> float | None:
    if seconds <= 0:
        return None
    return min(max(seconds, RETRY_AFTER_MIN_S), RETRY_AFTER_MAX_S)
