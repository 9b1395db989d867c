"""One answer in HTTP/1.1: bytes in, an Answer or our refusal out. No socket here.

Heads are read by `head` and bodies by `body`; here is what joins them: interim answers,
the bounds of all heads together, and which body a head announces.
"""

from typing import Final

from msgspec import Struct

from weighbridge.domain.limits import ERROR_BODY_BYTES, KIB
from weighbridge.net.failure.request_failures import (
    BadAnswer,
    BodyTooLarge,
    CutOff,
    EncodingRefused,
    HeaderTooLarge,
)
from weighbridge.net.http1.body import (
    BodyByLength,
    BodyInChunks,
    BodyReading,
    BodyToTheEnd,
    Framing,
    NoBody,
)
from weighbridge.net.http1.head import Head, parse_head

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
