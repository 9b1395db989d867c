"""One answer in HTTP/1.1: bytes in, an HTTPAnswer or our refusal out. No socket here.

The head is a status line and fields, read strictly: what RFC 9112 leaves to the reader
is refused, not repaired: folded lines, a bare LF, whitespace before a colon, a length
said twice or beside chunks. Each of these lets two parties read one answer in two ways.
h11 is the measure: a fuzz holds both against each other, and nothing is taken here that
h11 refuses or reads differently.

Bodies are read by length, by chunks, or up to the connection's end; the budget is
judged before a byte is kept. Chunks are read strictly too: no extension without a
bound.
"""

import re
from collections.abc import Callable
from typing import Final, Literal

from msgspec import Struct

from weighbridge.domain.limits import ERROR_BODY_BYTES, KIB
from weighbridge.net.failure.request_failures import (
    BadAnswer,
    BodyTooLarge,
    CutOff,
    EncodingRefused,
    HeaderTooLarge,
)

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


class BodyReading:
    """How one body is read. `framing` is "close" where nothing proves it whole."""

    framing: Framing
    _content: bytes | bytearray = b""

    def feed(self, data: bytes) -> bytes | None:
        """Take bytes. Once the body is whole, the bytes beyond it; else None.

        Raises BodyTooLarge, BadAnswer."""
        raise NotImplementedError

    def end(self) -> None:
        """The connection has ended. Raises CutOff if the body is not whole."""

    def content(self) -> bytes:
        """What was read; copied once if it came in pieces."""
        return bytes(self._content)


class NoBody(BodyReading):
    """After HEAD, and with 204 and 304, whatever the header says (RFC 9112 6.3)."""

    framing = "none"

    def feed(self, data: bytes) -> bytes | None:
        """Every byte is beyond it."""
        return data


class BodyByLength(BodyReading):
    """As many bytes as Content-Length says."""

    framing = "length"

    def __init__(self, length: int, limit: int) -> None:
        self._length = length
        self._limit = limit

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


class BodyToTheEnd(BodyReading):
    """All that comes. Nothing proves that it is whole: TLS closed without notice
    looks the same, so such a body counts only if a digest or its grammar says so."""

    framing = "close"

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._content = bytearray()

    def feed(self, data: bytes) -> bytes | None:
        """Take bytes up to the limit."""
        if len(self._content) + len(data) > self._limit:
            raise BodyTooLarge(f"more than {self._limit} bytes")
        self._content += data
        return None


class BodyInChunks(BodyReading):
    """Transfer-Encoding: chunked, read strictly; trailers are checked and dropped."""

    framing = "chunked"

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


FIELDS: Final = 100

# RFC 9112 section 4 and 5, without obs-fold and control characters. Possessive, so
# that a head which does not fit is left in one pass.
_HEAD: Final = re.compile(
    rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*+))?\r\n"
    rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t\x20-\x7e\x80-\xff]*+\r\n)*+"
    rb"\r\n"
)
_LENGTH: Final = re.compile(rb"[0-9]{1,15}")
_SWITCHING_PROTOCOLS: Final = b"101"
_NO_ENCODING: Final = frozenset({b"identity", b""})
_CONNECTION: Final = b"connection"
_LENGTH_FIELD: Final = b"content-length"
_CODING_FIELD: Final = b"transfer-encoding"
_ENCODING_FIELD: Final = b"content-encoding"
_READ_HERE: Final = frozenset(
    {_CONNECTION, _LENGTH_FIELD, _CODING_FIELD, _ENCODING_FIELD}
)


class Head(Struct, frozen=True):
    """One head, interim or final.

    fields:  names and values as they came, without outer whitespace
    length:  Content-Length, or None
    chunked: whether the body comes in chunks
    keeps:   whether the connection may carry another request
    encoded: whether the body has a Content-Encoding that nobody asked for
    """

    status: int
    http_version: bytes
    reason: bytes
    fields: list[tuple[bytes, bytes]]
    length: int | None
    chunked: bool
    keeps: bool
    encoded: bool

    @property
    def is_interim(self) -> bool:
        return self.status < 200


def parse_head(raw: bytes) -> Head:
    """The head in `raw`, which ends with the first blank line.

    Raises BadAnswer (HeaderTooLarge). An encoded body is told, not refused: an interim
    answer has none.
    """
    found = _HEAD.fullmatch(raw)
    if found is None:
        raise BadAnswer("the head is not a status line and header fields")
    lines = raw.split(b"\r\n")
    if len(lines) > FIELDS + 3:
        raise HeaderTooLarge(f"the head has more than {FIELDS} fields")
    fields = []
    read_here = []
    # Behind the status line; the two empty ones are the end.
    for line in lines[1:-2]:
        name, _, value = line.partition(b":")
        value = value.strip(b" \t")
        fields.append((name, value))
        key = name.lower()
        if key in _READ_HERE:
            read_here.append((key, value))
    minor, status, reason = found.groups(b"")
    if status == _SWITCHING_PROTOCOLS:
        raise BadAnswer("the answer switches to a protocol that was not asked for")
    length, chunked = None, False
    keeps, encoded = minor == b"1", False
    for key, value in read_here:
        if key == _CONNECTION:
            keeps = keeps and b"close" not in _tokens(value)
        elif key == _ENCODING_FIELD:
            encoded = encoded or not _tokens(value) <= _NO_ENCODING
        elif length is not None or chunked:
            raise BadAnswer("the body's length is stated more than once")
        elif key == _LENGTH_FIELD:
            length = _length(value)
        else:
            chunked = _is_chunked(value, minor)
    return Head(
        status=int(status),
        http_version=b"HTTP/1." + minor,
        reason=reason,
        fields=fields,
        length=length,
        chunked=chunked,
        keeps=keeps,
        encoded=encoded,
    )


def _length(value: bytes) -> int:
    if _LENGTH.fullmatch(value) is None:
        raise BadAnswer("Content-Length is not a number")
    return int(value)


def _is_chunked(value: bytes, minor: bytes) -> bool:
    # RFC 9112 6.1: not in HTTP/1.0, where the other side may not know it.
    if value.lower() != b"chunked" or minor == b"0":
        raise BadAnswer("Transfer-Encoding is not chunked alone, in HTTP/1.1")
    return True


def _tokens(value: bytes) -> set[bytes]:
    return {token.strip() for token in value.lower().split(b",")}


HEAD_BYTES: Final = 32 * KIB
"""Over all heads of one answer, the interim ones included."""
INTERIM_ANSWERS: Final = 8

_BLANK_LINE: Final = b"\r\n\r\n"
_BEGINNING: Final = b"HTTP/"


class HTTPAnswer(Struct, frozen=True):
    """A whole answer.

    fields:      names and values as they came, without outer whitespace
    over_budget: the body was longer than its budget and `body` is empty
    reusable:    nothing speaks against another request on the connection
    stray:       bytes came that belong to no answer
    """

    status: int
    http_version: bytes
    reason: bytes
    fields: list[tuple[bytes, bytes]]
    body: bytes
    framing: Framing
    over_budget: bool
    reusable: bool
    stray: bool


class AnswerReader:
    """Reads the one answer to a GET or HEAD, within a budget of bytes for its body.

    An error's body (status 400 and up) has at most 64 KiB of that budget.
    """

    __slots__ = (
        "_body",
        "_body_limit",
        "_buffer",
        "_head",
        "_head_bytes",
        "_interim",
        "_keeps",
        "_method",
    )

    def __init__(self, method: str, body_limit: int) -> None:
        self._method = method
        self._body_limit = body_limit
        self._buffer = b""
        self._head_bytes = 0
        self._interim = 0
        self._head: Head | None = None
        self._keeps = False
        self._body: BodyReading = NoBody()

    @property
    def started(self) -> bool:
        """Whether any byte has come."""
        return bool(self._buffer) or self._head_bytes > 0

    def feed(self, data: bytes) -> HTTPAnswer | None:
        """Take the next bytes; the answer once it is whole, and nothing after that.

        Raises BadAnswer (HeaderTooLarge), EncodingRefused.
        """
        if self._head is None:
            data = self._feed_heads(self._buffer + data)
            if self._head is None:
                return None
        try:
            beyond = self._body.feed(data)
        except BodyTooLarge:
            return self._answer(self._head, over_budget=True)
        if beyond is None:
            return None
        return self._answer(self._head, stray=bool(beyond))

    def end(self) -> HTTPAnswer:
        """The connection has ended: the answer if that completes it. Raises CutOff."""
        if self._head is None:
            raise CutOff("the connection ended before the answer's head was whole")
        self._body.end()
        return self._answer(self._head)

    def _feed_heads(self, data: bytes) -> bytes:
        """Read heads up to the final one, if it is whole; the bytes after it."""
        while self._head is None:
            end = data.find(_BLANK_LINE) + len(_BLANK_LINE)
            found = end >= len(_BLANK_LINE)
            if not _BEGINNING.startswith(data[: len(_BEGINNING)]):
                raise BadAnswer("the answer does not begin like HTTP/1.1")
            allowed = HEAD_BYTES - self._head_bytes
            if not found or end > allowed:
                _refuse_bare_lf(data[:allowed])
                if len(data) > allowed:
                    raise HeaderTooLarge(f"the head exceeds {HEAD_BYTES} bytes")
                self._buffer = data
                return b""
            self._head_bytes += end
            self._read_head(data[:end])
            data = data[end:]
        self._buffer = b""
        return data

    def _read_head(self, raw: bytes) -> None:
        head = parse_head(raw)
        if head.is_interim:
            self._interim += 1
            if self._interim > INTERIM_ANSWERS:
                raise BadAnswer(f"more than {INTERIM_ANSWERS} interim answers")
            return
        if head.encoded:
            # httpx would decode such a body, and 272 bytes can become 64 MiB.
            raise EncodingRefused("the body is encoded although identity was asked for")
        self._keeps = head.keeps
        self._body = self._body_of(head)
        self._head = head

    def _body_of(self, head: Head) -> BodyReading:
        if self._method == "HEAD" or head.status in (204, 304):
            return NoBody()
        limit = self._body_limit
        if head.status >= 400:
            limit = min(limit, ERROR_BODY_BYTES)
        if head.chunked:
            return BodyInChunks(limit)
        if head.length is not None:
            return BodyByLength(head.length, limit)
        self._keeps = False
        return BodyToTheEnd(limit)

    def _answer(
        self, head: Head, *, over_budget: bool = False, stray: bool = False
    ) -> HTTPAnswer:
        return HTTPAnswer(
            status=head.status,
            http_version=head.http_version,
            reason=head.reason,
            fields=head.fields,
            body=b"" if over_budget else self._body.content(),
            framing=self._body.framing,
            over_budget=over_budget,
            reusable=self._keeps and not over_budget and not stray,
            stray=stray,
        )


def _refuse_bare_lf(data: bytes) -> None:
    # Told apart early, for such a head may have no end as we know it.
    if data.count(b"\n") != data.count(b"\r\n"):
        raise BadAnswer("a line of the head ends with a bare LF")
