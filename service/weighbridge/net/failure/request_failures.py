"""Why a request brought no usable answer, as kinds of httpx's own exceptions; and
as our errors, at the one place where both are known: why there is no connection, as a
person says it, and what may help.

RequestError (httpx)
├── ConnectError        no connection
│   ├── NameNotFound    the name has no address
│   ├── AddressNotAllowed   it has one that may not be reached
│   ├── HandshakeFailed     TLS ended before a byte of HTTP was sent
│   └── ProxyFailed     the proxy made none
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

import errno
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx
from msgspec import Struct

from weighbridge.errors import AddressRefused, TransportError
from weighbridge.net.guard.addresses import Address, address_of_url


class NameNotFound(httpx.ConnectError):
    """The resolver knows no address for the name, or did not answer."""


class AddressNotAllowed(httpx.ConnectError):
    """The guard refused what the name or literal leads to; nothing was dialled."""


class HandshakeFailed(httpx.ConnectError):
    """No trusted TLS connection; no byte of the request has left."""


class ProxyFailed(httpx.ConnectError):
    """The proxy made no connection; no byte of the request has left."""

    def __init__(self, message: str, code: str, hint: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint
        self.retryable = retryable


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


class _Kind(Struct, frozen=True):
    code: str
    retryable: bool
    hint: str = ""


# The first class that fits decides, so the narrower ones come first.
_KINDS: Final[tuple[tuple[type[httpx.RequestError], _Kind], ...]] = (
    (httpx.TimeoutException, _Kind("deadline", True)),
    (NameNotFound, _Kind("dns_error", True, "check the name of the registry")),
    (HandshakeFailed, _Kind("tls_error", False)),
    (httpx.ConnectError, _Kind("connect_error", True)),
    (BodyTooLarge, _Kind("too_large", False)),
    (httpx.NetworkError, _Kind("connection_reset", True)),
    (HeaderTooLarge, _Kind("header_too_large", False)),
    (
        httpx.RemoteProtocolError,
        _Kind("bad_answer", True, "check that it is a registry"),
    ),
    (httpx.DecodingError, _Kind("content_encoding_refused", False)),
    (httpx.LocalProtocolError, _Kind("bad_request", False)),
    (httpx.UnsupportedProtocol, _Kind("bad_request", False)),
    (httpx.RequestError, _Kind("transport_error", True)),
)


@contextmanager
def our_errors() -> Iterator[None]:
    """Around what httpx does: its errors leave the block as TransportError
    (AddressRefused)."""
    try:
        yield
    except httpx.InvalidURL as exc:
        raise TransportError(
            f"not a usable address: {exc}", code="bad_request", retryable=False
        ) from exc
    except httpx.RequestError as exc:
        raise translated(exc, address_of_url(exc.request.url)) from exc


def translated(
    exc: httpx.RequestError, address: Address, hop: int = 0
) -> TransportError:
    """Our error for one of httpx's, at a hop (0: before any redirect)."""
    message = f"{address.shown}: {exc}"
    if isinstance(exc, AddressNotAllowed):
        return AddressRefused(
            message,
            code="redirect_refused" if hop else "address_refused",
            hint="name the host in trusted_storage_hosts if it is yours"
            if hop
            else "set address_class if the registry is meant to be there",
        )
    if isinstance(exc, ProxyFailed):
        return TransportError(
            message, code=exc.code, retryable=exc.retryable, hint=exc.hint
        )
    kind = next(kind for type_, kind in _KINDS if isinstance(exc, type_))
    hint = kind.hint
    if isinstance(exc, httpx.ConnectError) and not hint:
        why, hint = unconnected(exc)
        message = f"{address.shown}: {why}"
    return TransportError(message, code=kind.code, retryable=kind.retryable, hint=hint)


_OS: Final = {
    errno.ECONNREFUSED: "nothing listens there",
    errno.ECONNRESET: "it ended the connection at once",
    errno.EHOSTUNREACH: "that host cannot be reached from here",
    errno.ENETUNREACH: "that network cannot be reached from here",
    errno.ETIMEDOUT: "there was no answer",
}
_PLAIN_HTTP: Final = "it uses plain HTTP, not HTTPS"
_NOT_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH"})
"""What OpenSSL makes of the first bytes of an answer that is no TLS."""

# OpenSSL, x509_vfy.h: X509_V_ERR_CERT_HAS_EXPIRED, _HOSTNAME_MISMATCH and, where an
# address was asked for, _IP_ADDRESS_MISMATCH.
_EXPIRED: Final = 10
_OTHER_NAME: Final = frozenset({62, 64})


def unconnected(exc: httpx.ConnectError) -> tuple[str, str]:
    """The cause and a hint, "" where nothing is known to help.

    The system's own words name functions and files of Python; they are kept for
    `--debug`, as the cause.
    """
    cause = exc.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _untrusted(cause)
    if isinstance(cause, ssl.SSLError):
        reason = cause.reason or ""
        if reason in _NOT_TLS or "PACKET_LENGTH" in reason:
            return (
                _PLAIN_HTTP,
                "write http:// in place of https://, or add --plain-http",
            )
        said = reason.replace("_", " ").lower() or "no reason was given"
        return (
            f"no TLS connection ({said})",
            "ask its operator which TLS versions it accepts",
        )
    if isinstance(exc, HandshakeFailed):
        return (
            "it ended the connection while TLS was begun",
            "check that it uses HTTPS",
        )
    if isinstance(cause, OSError) and cause.errno in _OS:
        return _OS[cause.errno], "check the address and the port"
    return str(exc), ""


def unreached(exc: OSError) -> str:
    """The cause of a connection that was never made."""
    return _OS.get(exc.errno or 0) or exc.strerror or str(exc)


def _untrusted(cause: ssl.SSLCertVerificationError) -> tuple[str, str]:
    """The words after the colon are OpenSSL's: `self-signed certificate`."""
    said = cause.verify_message.rstrip(".")
    if cause.verify_code == _EXPIRED:
        return "its certificate has expired", "ask its operator to renew it"
    if cause.verify_code in _OTHER_NAME:
        return f"its certificate is for another name: {said}", "check the address"
    return (
        f"its certificate is not trusted: {said}",
        "name its authority with ca_file, or --ca-file",
    )
