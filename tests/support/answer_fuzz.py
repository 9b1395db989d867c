"""Mutated answers, read by us and by h11: the same answer, or refused by us.

Whatever bytes a server sends and however the network cuts them, ours must be the
reading of h11, or none. That we refuse more than h11 is meant.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import h11
import httpx

from weighbridge.net.failure.request_failures import BodyTooLarge
from weighbridge.net.http1.answer import AnswerReader, HTTPAnswer

BODY_LIMIT = 64 * 1024

_GOOD = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n"
    b"1\r\n!\r\n0\r\nT: t\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end",
    b"HTTP/1.1 204 None\r\nContent-Length: 9\r\n\r\n",
    b"HTTP/1.1 304 Same\r\nEtag: x\r\n\r\n",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
    b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 103 Hints\r\nLink: </x>\r\n\r\n"
    b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nDate: Tue, 04 Mar 2025 10:11:12 GMT\r\nEmpty:\r\n"
    b"Docker-Content-Digest: sha256:00\r\nContent-Length: 4\r\n\r\nbody",
)
_PIECES = (
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.0 200 OK\r\n",
    b"HTTP/1.1 101 Switch\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"Content-Length: 5\r\n",
    b"content-length:0\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Content-Length: +5\r\n",
    b"Content-Length : 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"transfer-encoding: Chunked \r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Connection: close\r\n",
    b"Connection: upgrade\r\nUpgrade: x\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Content-Encoding: identity\r\n",
    b"X-A:\t b \t\r\n",
    b"X-A: b\r\n folded\r\n",
    b": nameless\r\n",
    b"no colon\r\n",
    b"\r\n\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"\x0b",
    b"\x7f",
    b"\x80",
    b"\xff",
    b" ",
    b"\t",
    b":",
    b",",
    b"0\r\n\r\n",
    b"5\r\nhello\r\n",
    b"5 \r\nhello\r\n",
    b"0x5\r\nhello\r\n",
    b"ffffffffffffffff\r\n",
)


@dataclass(slots=True)
class Tally:
    """How many answers were read, and how."""

    answers: int = 0
    both: int = 0
    only_h11: int = 0


Reading = tuple[int, bytes, bytes, tuple[tuple[bytes, bytes], ...], bytes]
"""Status, version, reason, fields with names in lower case, body."""


def fuzz(seconds: float, seed: int) -> Tally:
    """Read mutated answers for so long. Raises AssertionError with the first bytes
    that depend on how they were cut, or that h11 reads in another way."""
    chance = random.Random(seed)  # noqa: S311 - a load that repeats
    tally = Tally()
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        stream = mutated(chance)
        check(stream, chance.choice(("GET", "GET", "HEAD")), chance, tally)
    return tally


def check(stream: bytes, method: str, chance: random.Random, tally: Tally) -> None:
    """One answer: at once, byte by byte, cut at random places, and by h11."""
    ours = outcome([stream], method)
    assert outcome([bytes([byte]) for byte in stream], method) == ours, stream
    assert outcome(cut_at_random(stream, chance), method) == ours, stream
    theirs = read_by_h11(stream, method)
    tally.answers += 1
    if isinstance(ours, type):
        tally.only_h11 += theirs is not None
        return
    tally.both += 1
    assert ours == theirs, stream


def outcome(pieces: Sequence[bytes], method: str) -> Reading | type:
    """What we make of the pieces and the end of the connection behind them: the
    answer, or the class of its refusal."""
    try:
        answer = _read(pieces, method)
    except httpx.RequestError as exc:
        return type(exc)
    if answer.over_budget:
        # What is left of it is told by its flag; h11 has no budget.
        return BodyTooLarge
    fields = tuple(
        _as_h11_keeps_it(name.lower(), value) for name, value in answer.fields
    )
    return answer.status, answer.http_version, answer.reason, fields, answer.body


def _as_h11_keeps_it(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    return name, value.lower() if name == b"transfer-encoding" else value


def _read(pieces: Sequence[bytes], method: str) -> HTTPAnswer:
    reader = AnswerReader(method, BODY_LIMIT)
    for piece in pieces:
        answer = reader.feed(piece)
        if answer is not None:
            return answer
    return reader.end()


def read_by_h11(stream: bytes, method: str) -> Reading | None:
    """What h11 makes of the same bytes and their end, None where it refuses them."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "-")]))
    connection.send(h11.EndOfMessage())
    head: h11.Response | None = None
    body, ended = b"", False
    try:
        connection.receive_data(stream)
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA and not ended:
                connection.receive_data(b"")
                ended = True
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return None if head is None else _reading(head, body)
            elif not isinstance(event, h11.InformationalResponse):
                return None
    except h11.RemoteProtocolError:
        return None


def _reading(head: h11.Response, body: bytes) -> Reading:
    version = b"HTTP/" + head.http_version
    return head.status_code, version, head.reason, tuple(head.headers), body


def mutated(chance: random.Random) -> bytes:
    """A good answer with up to four things done to it."""
    stream = chance.choice(_GOOD)
    for _ in range(chance.randrange(5)):
        at = chance.randrange(len(stream) + 1)
        to = min(len(stream), at + chance.randrange(12))
        match chance.randrange(5):
            case 0:
                stream = stream[:at] + stream[to:]
            case 1:
                stream = stream[:at] + bytes([chance.randrange(256)]) + stream[at + 1 :]
            case 2:
                stream = stream[:at] + stream[at:to] + stream[at:]
            case 3:
                stream += chance.choice(_GOOD)
            case _:
                at = _line_or_any_place(stream, at, chance)
                stream = stream[:at] + chance.choice(_PIECES) + stream[at:]
    return stream


def _line_or_any_place(stream: bytes, at: int, chance: random.Random) -> int:
    # Most pieces are lines, and anywhere else they only spoil one.
    line = stream.rfind(b"\n", 0, at) + 1
    return line if line and chance.random() < 0.7 else at


def cut_at_random(stream: bytes, chance: random.Random) -> list[bytes]:
    """The same bytes in up to seven pieces."""
    cuts = sorted(chance.randrange(len(stream) + 1) for _ in range(6)) if stream else []
    pairs = zip([0, *cuts], [*cuts, len(stream)], strict=True)
    return [stream[start:end] for start, end in pairs if end > start]
