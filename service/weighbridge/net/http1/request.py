"""A request in plain values, with what bounds its answer, and its bytes."""

import re
from typing import Final, Protocol

import httpx
from msgspec import Struct

from weighbridge.net.guard.reach import Reach
from weighbridge.net.guard.url_parts import Address
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
