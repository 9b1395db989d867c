"""The head of one answer in HTTP/1.1: a status line and fields, read strictly.

What RFC 9112 leaves to the reader is refused, not repaired: folded lines, a bare LF,
whitespace before a colon, a length said twice or beside chunks. Each of these lets
two parties read one answer in two ways. h11 is the measure: a fuzz holds both against
each other, and nothing is taken here that h11 refuses or reads differently.
"""

import re
from typing import Final

from msgspec import Struct

from weighbridge.net.failure.request_failures import BadAnswer, HeaderTooLarge

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
