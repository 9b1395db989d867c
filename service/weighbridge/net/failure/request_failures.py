"""Why a request brought no usable answer, as kinds of httpx's own exceptions.

RequestError (httpx)
├── ConnectError        no connection
│   ├── NameNotFound    the name has no address
│   ├── AddressNotAllowed   it has one that may not be reached
│   └── HandshakeFailed     TLS ended before a byte of HTTP was sent
├── ReadError           no whole answer
│   ├── CutOff          the connection ended inside the answer or before it
│   │   └── KeptConnectionClosed   before it, on a connection that was kept
│   └── BodyTooLarge    the body is longer than its budget
├── RemoteProtocolError
│   └── BadAnswer       not an answer in HTTP/1.1 as we read it
│       └── HeaderTooLarge
└── DecodingError
    └── EncodingRefused a Content-Encoding that nobody asked for
"""

import httpx


class NameNotFound(httpx.ConnectError):
    """The resolver knows no address for the name, or did not answer."""


class AddressNotAllowed(httpx.ConnectError):
    """The guard refused what the name or literal leads to; nothing was dialled."""


class HandshakeFailed(httpx.ConnectError):
    """No trusted TLS connection; no byte of the request has left."""


class CutOff(httpx.ReadError):
    """The connection ended before the answer was whole."""


class KeptConnectionClosed(CutOff):
    """A kept connection ended before the first byte of an answer: asking again on
    a fresh one is safe for GET and HEAD."""


class BodyTooLarge(httpx.ReadError):
    """The body exceeds the request's budget; what came of it was dropped."""


class BadAnswer(httpx.RemoteProtocolError):
    """Bytes that are not exactly one answer in HTTP/1.1."""


class HeaderTooLarge(BadAnswer):
    """A head beyond 32 KiB or 100 fields."""


class EncodingRefused(httpx.DecodingError):
    """The body is encoded although identity was asked for; it was not read."""
