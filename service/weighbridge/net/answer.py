"""One answer in HTTP/1.1: bytes in, an Answer or our refusal out. No socket here.

h11 parses every head, but sees only those that passed a check of the raw bytes: it
joins folded lines, takes bare LF for a line's end and accepts lengths that are said
twice, and each of these lets two parties read one answer in two ways. Bodies are read
by `body`, which says why.
"""

import re
from dataclasses import dataclass
from typing import Final

import h11

from weighbridge.domain.limits import ERROR_BODY_BYTES, KIB
from weighbridge.net.body import (
    Body,
    BodyByLength,
    BodyInChunks,
    BodyToTheEnd,
    Framing,
    NoBody,
)
from weighbridge.net.failures import (
    BadAnswer,
    BodyTooLarge,
    CutOff,
    EncodingRefused,
    HeaderTooLarge,
)

HEAD_BYTES: Final = 32 * KIB
"""Over all heads of one answer, the interim ones included."""
FIELDS: Final = 100
INTERIM_ANSWERS: Final = 8

_BLANK_LINE: Final = b"\r\n\r\n"
_BEGINNING: Final = b"HTTP/"
# RFC 9112 section 4 and 5, without obs-fold and control characters.
_HEAD = re.compile(
    rb"HTTP/1\.[01] [1-5][0-9]{2}(?: [\t\x20-\x7e\x80-\xff]*)?\r\n"
    rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)*"
    rb"\r\n"
)
_FRAMING_FIELDS = re.compile(
    rb"\r\n(content-length|transfer-encoding):([^\r]*)", re.IGNORECASE
)
_LENGTH = re.compile(rb"[0-9]{1,15}")
# h11 wants to know what was asked. It never writes: these bytes go nowhere.
_ASKED: Final = {
    method: h11.Request(method=method, target="/", headers=[("Host", "-")])
    for method in ("GET", "HEAD")
}
_NOTHING_MORE: Final = h11.EndOfMessage()


@dataclass(frozen=True, slots=True)
class Answer:
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
        "_parser",
    )

    def __init__(self, method: str, body_limit: int) -> None:
        self._method = method
        self._body_limit = body_limit
        self._parser = h11.Connection(h11.CLIENT)
        self._parser.send(_ASKED[method])
        self._parser.send(_NOTHING_MORE)
        self._buffer = b""
        self._head_bytes = 0
        self._interim = 0
        self._head: h11.Response | None = None
        self._keeps = False
        self._body: Body = NoBody()

    @property
    def started(self) -> bool:
        """Whether any byte has come."""
        return bool(self._buffer) or self._head_bytes > 0

    def feed(self, data: bytes) -> Answer | None:
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

    def end(self) -> Answer:
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
        if _HEAD.fullmatch(raw) is None:
            raise BadAnswer("the head is not a status line and header fields")
        if raw.count(b"\r\n") > FIELDS + 2:
            raise HeaderTooLarge(f"the head has more than {FIELDS} fields")
        length, chunked = _framing(raw)
        head = self._parsed(raw)
        if isinstance(head, h11.InformationalResponse):
            self._interim += 1
            if self._interim > INTERIM_ANSWERS:
                raise BadAnswer(f"more than {INTERIM_ANSWERS} interim answers")
            return
        self._keeps = _keeps_connection(head)
        self._body = self._body_of(head, length, chunked)
        self._head = head

    def _parsed(self, raw: bytes) -> h11.Response | h11.InformationalResponse:
        try:
            self._parser.receive_data(raw)
            head = self._parser.next_event()
        except h11.RemoteProtocolError as exc:
            # Among these 101, which nobody asked for.
            raise BadAnswer(f"the head is not HTTP/1.1: {exc}") from exc
        if not isinstance(head, h11.Response | h11.InformationalResponse):
            raise BadAnswer("the head is not one of an answer")
        return head

    def _body_of(self, head: h11.Response, length: int | None, chunked: bool) -> Body:
        status = head.status_code
        if self._method == "HEAD" or status in (204, 304):
            return NoBody()
        limit = self._body_limit
        if status >= 400:
            limit = min(limit, ERROR_BODY_BYTES)
        if chunked:
            return BodyInChunks(limit)
        if length is not None:
            return BodyByLength(length, limit)
        self._keeps = False
        return BodyToTheEnd(limit)

    def _answer(
        self, head: h11.Response, *, over_budget: bool = False, stray: bool = False
    ) -> Answer:
        return Answer(
            status=head.status_code,
            http_version=b"HTTP/" + head.http_version,
            reason=head.reason,
            fields=head.headers.raw_items(),
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


def _framing(raw: bytes) -> tuple[int | None, bool]:
    """Content-Length, and whether the body is chunked: at most one of the two, once."""
    fields = _FRAMING_FIELDS.findall(raw)
    if not fields:
        return None, False
    if len(fields) > 1:
        raise BadAnswer("the body's length is said more than once")
    name, value = fields[0][0].lower(), fields[0][1].strip(b" \t")
    if name == b"content-length":
        if _LENGTH.fullmatch(value) is None:
            raise BadAnswer("Content-Length is not a number")
        return int(value), False
    # RFC 9112 6.1: not in HTTP/1.0, where the other side may not know it.
    if value.lower() != b"chunked" or raw.startswith(b"HTTP/1.0"):
        raise BadAnswer("Transfer-Encoding is not chunked alone, in HTTP/1.1")
    return None, True


def _keeps_connection(head: h11.Response) -> bool:
    """Whether the connection may carry another request, by what the head says.

    Raises EncodingRefused: httpx would decode such a body while making its Response,
    and 272 bytes can become 64 MiB.
    """
    keeps = head.http_version == b"1.1"
    for name, value in head.headers:
        if name == b"connection" and b"close" in _tokens(value):
            keeps = False
        elif name == b"content-encoding" and not _tokens(value) <= {b"identity", b""}:
            raise EncodingRefused("the body is encoded although identity was asked for")
    return keeps


def _tokens(value: bytes) -> set[bytes]:
    return {token.strip() for token in value.lower().split(b",")}
