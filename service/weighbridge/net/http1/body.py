"""Bodies of answers: by length, by chunks, or up to the connection's end.

Chunked framing is read strictly: no bare LF, no whitespace after the size, no
extension without a bound. The budget is judged before a byte is kept.
"""

import re
from collections.abc import Callable
from typing import Final, Literal, Protocol

from weighbridge.net.failure.request_failures import BadAnswer, BodyTooLarge, CutOff

Framing = Literal["none", "length", "chunked", "close"]

CHUNK_LINE_BYTES: Final = 258
"""The longest chunk line, its CRLF included."""
TRAILER_BYTES: Final = 8 * 1024

_CRLF: Final = b"\r\n"
# RFC 9112 7.1, without the whitespace that it allows before an extension.
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,12})(?:;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t\x20-\x7e\x80-\xff]*")

# RFC 9110 6.5.1. They would come too late, and two parties could differ about them.
_NEVER_TRAILERS: Final = frozenset({b"content-length", b"transfer-encoding"})


class BodyReading(Protocol):
    """How one body is read. `framing` is "close" where nothing proves it whole."""

    framing: Framing

    def feed(self, data: bytes) -> bytes | None:
        """Take bytes. Once the body is whole, the bytes beyond it; else None.

        Raises BodyTooLarge, BadAnswer."""

    def end(self) -> None:
        """The connection has ended. Raises CutOff if the body is not whole."""

    def content(self) -> bytes:
        """What was read."""


class NoBody:
    """After HEAD, and with 204 and 304, whatever the header says (RFC 9112 6.3)."""

    framing: Framing = "none"

    def feed(self, data: bytes) -> bytes | None:
        """Every byte is beyond it."""
        return data

    def end(self) -> None:
        """It is whole."""

    def content(self) -> bytes:
        """Nothing."""
        return b""


class BodyByLength:
    """As many bytes as Content-Length says."""

    framing: Framing = "length"

    def __init__(self, length: int, limit: int) -> None:
        self._length = length
        self._limit = limit
        self._content: bytes | bytearray = b""

    def feed(self, data: bytes) -> bytes | None:
        """Take bytes; too long a length is refused before any is kept."""
        if self._length > self._limit:
            raise BodyTooLarge(f"{self._length} bytes announced")
        missing = self._length - len(self._content)
        if not self._content and len(data) >= missing:
            # The usual case, a body in one segment, is copied at most once.
            self._content = data[:missing]
            return data[missing:]
        if isinstance(self._content, bytes):
            self._content = bytearray(self._content)
        self._content += data[:missing]
        return data[missing:] if len(data) >= missing else None

    def end(self) -> None:
        """Bytes are missing, else nobody would ask."""
        got = len(self._content)
        raise CutOff(f"the body ended after {got} of {self._length} bytes")

    def content(self) -> bytes:
        """The body, copied once if it came in pieces."""
        return bytes(self._content)


class BodyToTheEnd:
    """All that comes. Nothing proves that it is whole: TLS closed without notice
    looks the same, so such a body counts only if a digest or its grammar says so."""

    framing: Framing = "close"

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._content = bytearray()

    def feed(self, data: bytes) -> bytes | None:
        """Take bytes up to the limit."""
        if len(self._content) + len(data) > self._limit:
            raise BodyTooLarge(f"more than {self._limit} bytes")
        self._content += data
        return None

    def end(self) -> None:
        """This is how it is meant to end."""

    def content(self) -> bytes:
        """What came before the end."""
        return bytes(self._content)


class BodyInChunks:
    """Transfer-Encoding: chunked, read strictly; trailers are checked and dropped."""

    framing: Framing = "chunked"

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._content = bytearray()
        self._unread = b""
        self._missing = 0
        # Functions of the class, not bound ones: those would be a cycle, and keep
        # each body until the collector looks.
        self._step: _Step | None = BodyInChunks._read_size

    def feed(self, data: bytes) -> bytes | None:
        """Take bytes; what is unread of them is less than one line."""
        data = self._unread + data
        at = 0
        while self._step is not None:
            after = self._step(self, data, at)
            if after is None:
                self._unread = data[at:]
                return None
            at = after
        return data[at:]

    def end(self) -> None:
        """Neither the last chunk nor the trailers may be missing."""
        raise CutOff(
            f"the body ended inside its chunks, after {len(self._content)} bytes"
        )

    def content(self) -> bytes:
        """The chunks in a row."""
        return bytes(self._content)

    # Each step takes the bytes and where to read, and gives where the next step
    # reads on, or None if it needs more.

    def _read_size(self, data: bytes, at: int) -> int | None:
        end = data.find(_CRLF, at, at + CHUNK_LINE_BYTES)
        if end < 0:
            if len(data) - at >= CHUNK_LINE_BYTES or b"\n" in data[at:]:
                raise BadAnswer("a chunk line is too long, or ends with a bare LF")
            return None
        line = _CHUNK_LINE.fullmatch(data, at, end)
        if line is None:
            raise BadAnswer("a chunk does not begin with its size")
        self._missing = int(line[1], 16)
        if len(self._content) + self._missing > self._limit:
            raise BodyTooLarge(f"more than {self._limit} bytes in chunks")
        if self._missing:
            self._step = BodyInChunks._read_data
        else:
            self._missing = TRAILER_BYTES
            self._step = BodyInChunks._read_trailer
        return end + 2

    def _read_data(self, data: bytes, at: int) -> int | None:
        piece = data[at : at + self._missing]
        self._content += piece
        self._missing -= len(piece)
        if self._missing == 0:
            self._step = BodyInChunks._read_end_of_data
        return at + len(piece) if piece else None

    def _read_end_of_data(self, data: bytes, at: int) -> int | None:
        end = data[at : at + 2]
        if not _CRLF.startswith(end):
            raise BadAnswer("a chunk does not end where its size says")
        if len(end) < 2:
            return None
        self._step = BodyInChunks._read_size
        return at + 2

    def _read_trailer(self, data: bytes, at: int) -> int | None:
        end = data.find(_CRLF, at)
        taken = end + 2 - at if end >= 0 else len(data) - at
        if taken > self._missing:
            raise BadAnswer("the trailers are too long")
        if end < 0:
            return None
        self._missing -= taken
        if end == at:
            self._step = None
        elif (trailer := _TRAILER.fullmatch(data, at, end)) is None:
            raise BadAnswer("a trailer is not a header field")
        elif trailer[1].lower() in _NEVER_TRAILERS:
            raise BadAnswer("a trailer states how long the body was")
        return end + 2


_Step = Callable[[BodyInChunks, bytes, int], int | None]
