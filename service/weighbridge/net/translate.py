"""httpx's errors to ours, at the one place where both are known."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx
from msgspec import Struct

from weighbridge.errors import AddressRefused, TransportError
from weighbridge.net.failure.failure_words import unconnected
from weighbridge.net.failure.request_failures import (
    AddressNotAllowed,
    BodyTooLarge,
    HandshakeFailed,
    HeaderTooLarge,
    NameNotFound,
)
from weighbridge.net.guard.url_parts import Address, address_of_url


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
    kind = next(kind for type_, kind in _KINDS if isinstance(exc, type_))
    hint = kind.hint
    if isinstance(exc, httpx.ConnectError) and not hint:
        why, hint = unconnected(exc)
        message = f"{address.shown}: {why}"
    return TransportError(message, code=kind.code, retryable=kind.retryable, hint=hint)
