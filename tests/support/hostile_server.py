"""A server that answers in every way a server should not, one path for each.

`HOSTILE` is the table: what is sent, and what a client may make of it. Any other path
answers with itself, so that a mixed-up answer is seen.
"""

import asyncio
import socket
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from support.listening import listening

BODY_LIMIT = 64 * 1024
"""The budget that the table is written for."""

_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
STRAY = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"


class Peer:
    """The client as a script sees it."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.sent_bytes = 0
        self.hung_up = False
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Send, and wait while the client does not read."""
        self._writer.write(data)
        self.sent_bytes += len(data)
        await self._writer.drain()

    def reset(self) -> None:
        """End the connection with RST."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        self.hung_up = True


Script = Callable[[Peer], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Hostile:
    """One bad answer.

    given:   the body that a client may take from it, or None
    refused: else the code of its refusal
    late:    the worst of it comes after the answer, when nobody waits
    """

    name: str
    script: Script
    given: bytes | None = None
    refused: str = ""
    method: str = "GET"
    late: bool = False


@dataclass(slots=True)
class HostileServer:
    """Counts what it has sent and which scripts have ended."""

    origin: str = ""
    sent_bytes: int = 0
    connections: int = 0
    ended: list[str] = field(default_factory=list)

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """One connection."""
        self.connections += 1
        peer = Peer(writer)
        while not peer.hung_up:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ")[1].decode().removeprefix("/")
            await self._answer(peer, path)

    async def _answer(self, peer: Peer, path: str) -> None:
        before = peer.sent_bytes
        hostile = _BY_NAME.get(path)
        try:
            if hostile is None:
                await peer.send(with_length(path.encode()))
            else:
                await hostile.script(peer)
        finally:
            self.sent_bytes += peer.sent_bytes - before
            self.ended.append(path)


@asynccontextmanager
async def hostile_server() -> AsyncIterator[HostileServer]:
    """A HostileServer on loopback that listens until the block ends."""
    hostile = HostileServer()
    async with listening(hostile.serve) as port:
        hostile.origin = f"http://127.0.0.1:{port}"
        yield hostile


def with_length(body: bytes) -> bytes:
    """An honest answer."""
    return _OK + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def _says(data: bytes) -> Script:
    async def script(peer: Peer) -> None:
        await peer.send(data)

    return script


def _says_and_closes(data: bytes) -> Script:
    async def script(peer: Peer) -> None:
        await peer.send(data)
        peer.hung_up = True

    return script


def _says_in_time(*pieces: bytes, every_s: float) -> Script:
    async def script(peer: Peer) -> None:
        for piece in pieces:
            await peer.send(piece)
            await asyncio.sleep(every_s)

    return script


def _repeats(beginning: bytes, piece: bytes, times: int) -> Script:
    async def script(peer: Peer) -> None:
        await peer.send(beginning)
        for _ in range(times):
            await peer.send(piece)
        peer.hung_up = True

    return script


def _says_and_resets(data: bytes) -> Script:
    async def script(peer: Peer) -> None:
        if data:
            await peer.send(data)
            # Else the reset overtakes what was said.
            await asyncio.sleep(0.02)
        peer.reset()

    return script


def _field(line: bytes) -> Script:
    """An answer that is fine but for one more header line."""
    return _says(_OK + line + b"\r\nContent-Length: 4\r\n\r\nbody")


def _framed(lines: bytes, body: bytes = b"body") -> Script:
    """An answer with these lines, which should say how long the body is."""
    return _says(_OK + lines + b"\r\n\r\n" + body)


def _status(line: bytes) -> Script:
    return _says(line + b"\r\nContent-Length: 4\r\n\r\nbody")


def _chunks(data: bytes) -> Script:
    return _says(_CHUNKED + data)


def _gzipped(mebibytes: int) -> bytes:
    # Made piece by piece: the memory of this process is what the tests watch.
    packer = zlib.compressobj(9, wbits=31)
    packed = [packer.compress(bytes(2**20)) for _ in range(mebibytes)]
    return b"".join([*packed, packer.flush()])


_ONCE = _gzipped(64)
_packer = zlib.compressobj(9, wbits=31)
_BOMB = _packer.compress(_ONCE) + _packer.flush()
_PIECE = b"z" * 65_536
_FOR_EVER = 80_000

_BAD = "bad_answer"
_BIG = "header_too_large"
_CUT = "connection_reset"

HOSTILE: tuple[Hostile, ...] = (
    # Bodies without an end, or with one too far away.
    Hostile(
        "endless-chunks",
        _repeats(_CHUNKED, b"10000\r\n" + _PIECE + b"\r\n", _FOR_EVER),
        refused="too_large",
    ),
    Hostile(
        "endless-to-close",
        _repeats(_OK + b"\r\n", _PIECE, _FOR_EVER),
        refused="too_large",
    ),
    Hostile(
        "five-gibibytes",
        _repeats(_OK + b"Content-Length: 5368709120\r\n\r\n", _PIECE, _FOR_EVER),
        refused="too_large",
    ),
    Hostile(
        "exactly-the-budget",
        _says(with_length(b"b" * BODY_LIMIT)),
        given=b"b" * BODY_LIMIT,
    ),
    Hostile("budget-and-one", _says(with_length(b"b" * 65_537)), refused="too_large"),
    Hostile(
        "budget-and-one-in-chunks",
        _chunks(b"10001\r\n" + b"b" * 65_537 + b"\r\n0\r\n\r\n"),
        refused="too_large",
    ),
    # Encodings that nobody asked for.
    Hostile(
        "gzip-of-gzip",
        _says(
            _OK
            + b"Content-Encoding: gzip, gzip\r\nContent-Length: %d\r\n\r\n" % len(_BOMB)
            + _BOMB
        ),
        refused="content_encoding_refused",
    ),
    Hostile(
        "gzip-bomb",
        _says(
            _OK
            + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(_ONCE)
            + _ONCE
        ),
        refused="content_encoding_refused",
    ),
    Hostile(
        "brotli", _field(b"Content-Encoding: br"), refused="content_encoding_refused"
    ),
    Hostile("said-identity", _field(b"Content-Encoding: identity"), given=b"body"),
    Hostile(
        "two-encoding-fields",
        _field(b"Content-Encoding: identity\r\nContent-Encoding: deflate"),
        refused="content_encoding_refused",
    ),
    Hostile(
        "gzip-on-head",
        _says(_OK + b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\n"),
        refused="content_encoding_refused",
        method="HEAD",
    ),
    Hostile(
        "transfer-gzip",
        _framed(b"Transfer-Encoding: gzip, chunked", b"4\r\nbody\r\n0\r\n\r\n"),
        refused=_BAD,
    ),
    # Bodies that are not as long as they say.
    Hostile(
        "short-body",
        _says_and_closes(_OK + b"Content-Length: 90\r\n\r\nonly this"),
        refused=_CUT,
    ),
    Hostile("long-body", _framed(b"Content-Length: 3"), given=b"bod"),
    Hostile(
        "chunks-cut",
        _says_and_closes(_CHUNKED + b"4\r\nbody\r\n"),
        refused=_CUT,
    ),
    Hostile(
        "last-chunk-cut",
        _says_and_closes(_CHUNKED + b"4\r\nbody\r\n0\r\n"),
        refused=_CUT,
    ),
    Hostile(
        "reset-in-body",
        _says_and_resets(_OK + b"Content-Length: 90\r\n\r\nonly this"),
        refused=_CUT,
    ),
    Hostile("reset-in-head", _says_and_resets(_OK + b"Content-"), refused=_CUT),
    Hostile("reset-at-once", _says_and_resets(b""), refused=_CUT),
    Hostile("closed-at-once", _says_and_closes(b""), refused=_CUT),
    # Answers that nobody asked for.
    Hostile("stray-in-segment", _says(with_length(b"hi") + STRAY), given=b"hi"),
    Hostile(
        "stray-later",
        _says_in_time(with_length(b"hi"), STRAY, every_s=0.03),
        given=b"hi",
        late=True,
    ),
    Hostile(
        "stray-after-chunks", _chunks(b"2\r\nhi\r\n0\r\n\r\n" + STRAY), given=b"hi"
    ),
    Hostile(
        "head-with-body",
        _says(_OK + b"Content-Length: %d\r\n\r\n%s" % (len(STRAY), STRAY)),
        given=b"",
        method="HEAD",
    ),
    Hostile(
        "head-with-body-later",
        _says_in_time(
            _OK + b"Content-Length: %d\r\n\r\n" % len(STRAY), STRAY, every_s=0.03
        ),
        given=b"",
        method="HEAD",
        late=True,
    ),
    Hostile(
        "no-content-with-body",
        _says(b"HTTP/1.1 204 None\r\nContent-Length: 45\r\n\r\n" + STRAY),
        given=b"",
    ),
    Hostile(
        "not-modified-with-body",
        _says(b"HTTP/1.1 304 Same\r\nContent-Length: 45\r\n\r\n" + STRAY),
        given=b"",
    ),
    # Chunks.
    Hostile("chunk-0x", _chunks(b"0x4\r\nbody\r\n0\r\n\r\n"), refused=_BAD),
    Hostile("chunk-minus", _chunks(b"-4\r\nbody\r\n0\r\n\r\n"), refused=_BAD),
    Hostile("chunk-plus", _chunks(b"+4\r\nbody\r\n0\r\n\r\n"), refused=_BAD),
    Hostile("chunk-underscore", _chunks(b"0_4\r\nbody\r\n0\r\n\r\n"), refused=_BAD),
    Hostile("chunk-20-digits", _chunks(b"F" * 20 + b"\r\nbody\r\n"), refused=_BAD),
    Hostile(
        "chunk-12-digits", _chunks(b"F" * 12 + b"\r\nbody\r\n"), refused="too_large"
    ),
    Hostile(
        "chunk-space-extension",
        _chunks(b"4 ;a=b\r\nbody\r\n0\r\n\r\n"),
        refused=_BAD,
    ),
    Hostile(
        "chunk-long-extension",
        _chunks(b"4;a=" + b"x" * 2**20 + b"\r\nbody\r\n0\r\n\r\n"),
        refused=_BAD,
    ),
    Hostile("chunk-bare-lf", _chunks(b"4\nbody\n0\n\n"), refused=_BAD),
    Hostile("chunk-wrong-end", _chunks(b"4\r\nbodyXX0\r\n\r\n"), refused=_BAD),
    Hostile(
        "long-trailers",
        _chunks(b"0\r\n" + b"T: %s\r\n" % (b"t" * 900) * 900 + b"\r\n"),
        refused=_BAD,
    ),
    Hostile("bad-trailer", _chunks(b"0\r\nno colon\r\n\r\n"), refused=_BAD),
    Hostile(
        "byte-by-byte",
        _says_in_time(
            *(
                bytes([byte])
                for byte in _CHUNKED + b"3;a=b\r\nbod\r\n1\r\ny\r\n0\r\nT: t\r\n\r\n"
            ),
            every_s=0,
        ),
        given=b"body",
    ),
    # Slowness.
    Hostile(
        "dripping-body",
        _says_in_time(
            _OK + b"Content-Length: 9000\r\n\r\n", *[b"d"] * 60, every_s=0.05
        ),
        refused="deadline",
    ),
    Hostile(
        "dripping-head",
        _says_in_time(_OK, *[b"Slow: yes\r\n"] * 60, every_s=0.05),
        refused="deadline",
    ),
    Hostile("silence", _says_in_time(b"", every_s=3.0), refused="deadline"),
    # Heads that are too large.
    Hostile("mebibyte-field", _field(b"Large: " + b"l" * 2**20), refused=_BIG),
    Hostile(
        "endless-field", _repeats(_OK + b"Large: ", _PIECE, _FOR_EVER), refused=_BIG
    ),
    Hostile("ten-thousand-fields", _field(b"A: b\r\n" * 9_999 + b"A: b"), refused=_BIG),
    Hostile("hundred-and-one-fields", _field(b"A: b\r\n" * 99 + b"A: b"), refused=_BIG),
    Hostile("hundred-fields", _field(b"A: b\r\n" * 98 + b"A: b"), given=b"body"),
    # Status lines.
    Hostile("status-letters", _status(b"HTTP/1.1 two OK"), refused=_BAD),
    Hostile("status-99", _status(b"HTTP/1.1 99 OK"), refused=_BAD),
    Hostile("status-999", _status(b"HTTP/1.1 999 OK"), refused=_BAD),
    Hostile("http-2", _status(b"HTTP/2 200 OK"), refused=_BAD),
    Hostile("http-1.2", _status(b"HTTP/1.2 200 OK"), refused=_BAD),
    Hostile("shoutcast", _status(b"ICY 200 OK"), refused=_BAD),
    Hostile("two-spaces", _status(b"HTTP/1.1  200 OK"), refused=_BAD),
    Hostile("tls-alert", _says(b"\x15\x03\x01\x00\x02\x02\x28"), refused=_BAD),
    Hostile("long-reason", _status(b"HTTP/1.1 200 " + b"R" * 90_000), refused=_BIG),
    Hostile("leading-crlf", _status(b"\r\nHTTP/1.1 200 OK"), refused=_BAD),
    # Fields.
    Hostile("folded-field", _field(b"Odd: one\r\n two"), refused=_BAD),
    Hostile("folded-length", _framed(b"Content-Length:\r\n 4"), refused=_BAD),
    Hostile("no-colon", _field(b"Odd"), refused=_BAD),
    Hostile("space-before-colon", _framed(b"Content-Length : 4"), refused=_BAD),
    Hostile(
        "bare-lf",
        _says(b"HTTP/1.1 200 OK\nContent-Length: 4\n\nbody"),
        refused=_BAD,
    ),
    Hostile("lf-in-value", _field(b"Odd: one\nContent-Length: 0"), refused=_BAD),
    Hostile("cr-in-value", _field(b"Odd: one\rContent-Length: 0"), refused=_BAD),
    Hostile("nul-in-value", _field(b"Odd: o\0ne"), refused=_BAD),
    Hostile("empty-name", _field(b": value"), refused=_BAD),
    Hostile("cookie", _field(b"Set-Cookie: a=b"), given=b"body"),
    # How long the body is.
    Hostile(
        "two-lengths",
        _framed(b"Content-Length: 2\r\nContent-Length: 4"),
        refused=_BAD,
    ),
    Hostile(
        "length-twice",
        _framed(b"Content-Length: 4\r\nContent-Length: 4"),
        refused=_BAD,
    ),
    Hostile("length-list", _framed(b"Content-Length: 4, 4"), refused=_BAD),
    Hostile("length-plus", _framed(b"Content-Length: +4"), refused=_BAD),
    Hostile("length-minus", _framed(b"Content-Length: -4"), refused=_BAD),
    Hostile("length-empty", _framed(b"Content-Length:"), refused=_BAD),
    Hostile("length-16-digits", _framed(b"Content-Length: " + b"4" * 16), refused=_BAD),
    Hostile(
        "length-and-chunks",
        _framed(
            b"Content-Length: 4\r\nTransfer-Encoding: chunked",
            b"4\r\nbody\r\n0\r\n\r\n",
        ),
        refused=_BAD,
    ),
    Hostile(
        "transfer-identity",
        _framed(b"Transfer-Encoding: identity\r\nContent-Length: 4"),
        refused=_BAD,
    ),
    Hostile("transfer-unknown", _framed(b"Transfer-Encoding: xchunked"), refused=_BAD),
    Hostile(
        "chunked-twice",
        _framed(
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            b"4\r\nbody\r\n0\r\n\r\n",
        ),
        refused=_BAD,
    ),
    Hostile(
        "chunked-in-1.0",
        _says_and_closes(
            b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"4\r\nbody\r\n0\r\n\r\n"
        ),
        refused=_BAD,
    ),
    # Interim answers.
    Hostile(
        "endless-continue",
        _repeats(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 40, 2_500),
        refused=_BAD,
    ),
    Hostile(
        "early-hints",
        _says(b"HTTP/1.1 103 Hints\r\nLink: </x>\r\n\r\n" + with_length(b"hi")),
        given=b"hi",
    ),
    Hostile(
        "switching-protocols",
        _says(b"HTTP/1.1 101 Switch\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n"),
        refused=_BAD,
    ),
    # Old and odd, but right.
    Hostile(
        "http-1.0",
        _says_and_closes(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
        given=b"hi",
    ),
    Hostile("to-close", _says_and_closes(_OK + b"\r\nhi"), given=b"hi"),
    Hostile(
        "said-close",
        _says_and_closes(_OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nhi"),
        given=b"hi",
    ),
    Hostile("closed-unsaid", _says_and_closes(with_length(b"hi")), given=b"hi"),
)

_BY_NAME = {hostile.name: hostile for hostile in HOSTILE}
