"""A connection through an HTTP proxy by CONNECT (RFC 9110 9.3.6), for https and plain
http alike: what is sent then is between us and the server, and TLS ends there.

The proxy's credentials are sent to the proxy alone, before the tunnel is open. What the
proxy says is a stranger's word: its status is all that is told of it.
"""

import asyncio
import base64
import socket
from typing import TYPE_CHECKING, Final

import httpx

from weighbridge.domain.limits import KIB
from weighbridge.errors import ConfigError
from weighbridge.net.failure.request_failures import ProxyFailed, unreached
from weighbridge.net.guard.addresses import Proxy
from weighbridge.net.http1.answer import parse_head

if TYPE_CHECKING:
    from weighbridge.config.value.proxy_settings import ProxySettings

ANSWER_BYTES: Final = 8 * KIB
"""The proxy's head, its blank line included."""
_BEGINNING: Final = b"HTTP/1."
_BLANK_LINE: Final = b"\r\n\r\n"
_PASSING: Final = frozenset({408, 429})
_NO_LOGIN: Final = frozenset({401, 407})
"""tinyproxy answers 401 where the password is wrong, and 407 where there is none."""


def proxy_of(settings: "ProxySettings | None") -> Proxy | None:
    """The proxy that a configuration names."""
    if settings is None:
        return None
    return Proxy(settings.host, settings.port, settings.current_login)


async def open_tunnel(sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    """Have the proxy at the other end of `sock` connect it to host and port.

    sock: connected and non-blocking; of the caller, also when this fails
    host: a name or an address that the guard allows, IPv6 without brackets
    Raises ProxyFailed (proxy_auth, proxy_refused, proxy_unavailable, proxy_bad_answer,
    proxy_closed, secret_file).
    """
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    loop = asyncio.get_running_loop()
    request = _request_bytes(place, await _login(proxy))
    try:
        await loop.sock_sendall(sock, request)
        head, has_more = await _read_head(sock, proxy)
    except OSError as exc:
        raise closed(proxy, unreached(exc)) from exc
    check_answer(proxy, head, place, has_more=has_more)


def check_answer(proxy: Proxy, head: bytes, place: str, *, has_more: bool) -> None:
    """Whether this answer to CONNECT opens a tunnel.

    head:     up to its blank line, which it includes
    has_more: whether bytes have come behind it, before anything was sent through it
    Raises ProxyFailed.
    """
    try:
        status = parse_head(head).status
    except httpx.RequestError as exc:
        raise _garbled(proxy, str(exc)) from exc
    if status < 200:
        raise _garbled(proxy, f"CONNECT is answered with {status}")
    if status >= 300:
        raise _refusal(proxy, status, place)
    if has_more:
        # They would be taken for the server's.
        raise _garbled(proxy, "bytes follow before anything was sent through it")


def unreachable(proxy: Proxy, why: str) -> ProxyFailed:
    """There is no connection to the proxy itself."""
    return ProxyFailed(
        f"no connection to the proxy {proxy}: {why}",
        "proxy_unreachable",
        "check proxy.url, and that the proxy runs",
        retryable=True,
    )


def timed_out(proxy: Proxy, seconds: float) -> ProxyFailed:
    """The proxy has not answered in time."""
    return ProxyFailed(
        f"the proxy {proxy} opened no connection within {seconds:.3g} s",
        "proxy_timeout",
        "check the proxy, and whether it reaches this host",
        retryable=True,
    )


def closed(proxy: Proxy, why: str) -> ProxyFailed:
    """The proxy has ended the connection before its answer was whole."""
    return ProxyFailed(
        f"the proxy {proxy} ended the connection before it answered: {why}",
        "proxy_closed",
        "check that it is an HTTP proxy without TLS of its own, and its log",
        retryable=True,
    )


def _garbled(proxy: Proxy, why: str) -> ProxyFailed:
    return ProxyFailed(
        f"the proxy {proxy} gives no answer of an HTTP proxy: {why}",
        "proxy_bad_answer",
        "check that proxy.url leads to an HTTP proxy",
        retryable=True,
    )


def _refusal(proxy: Proxy, status: int, place: str) -> ProxyFailed:
    said = f"the proxy {proxy} answers {status}"
    if status in _NO_LOGIN:
        return ProxyFailed(
            f"{said}: it does not know who asks",
            "proxy_auth",
            "set username and password_file of this proxy, or correct them",
            retryable=False,
        )
    if status >= 500 or status in _PASSING:
        return ProxyFailed(
            f"{said}: it could not connect to this host",
            "proxy_unavailable",
            f"check that the proxy can reach {place}",
            retryable=True,
        )
    return ProxyFailed(
        f"{said}: it does not allow this connection",
        "proxy_refused",
        f"have its operator allow CONNECT to {place}",
        retryable=False,
    )


async def _login(proxy: Proxy) -> bytes:
    try:
        # In a thread: the file may be on a disk that is slow just now.
        login = await asyncio.to_thread(proxy.login)
    except ConfigError as exc:
        raise ProxyFailed(
            f"the password for the proxy {proxy}: {exc.message}",
            exc.code,
            exc.hint,
            retryable=True,
        ) from exc
    if login is None:
        return b""
    user, password = login
    pair = f"{user}:{password.reveal()}".encode()
    # RFC 7617 2, in UTF-8.
    return b"Proxy-Authorization: Basic %s\r\n" % base64.b64encode(pair)


def _request_bytes(place: str, login: bytes) -> bytes:
    authority = place.encode("ascii")
    return b"CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (
        authority,
        authority,
        login,
    )


async def _read_head(sock: socket.socket, proxy: Proxy) -> tuple[bytes, bool]:
    """The answer's head, and whether bytes have come behind it."""
    loop = asyncio.get_running_loop()
    data = b""
    while (end := data.find(_BLANK_LINE)) < 0:
        if len(data) >= ANSWER_BYTES:
            raise _garbled(proxy, f"its head has more than {ANSWER_BYTES} bytes")
        # One byte more than its head may have shows what comes behind it.
        more = await loop.sock_recv(sock, ANSWER_BYTES + 1 - len(data))
        if not more:
            raise closed(proxy, f"{len(data)} bytes had come")
        data += more
        if not _BEGINNING.startswith(data[: len(_BEGINNING)]):
            raise _garbled(proxy, "it does not begin like HTTP/1.1")
    end += len(_BLANK_LINE)
    if end > ANSWER_BYTES:
        raise _garbled(proxy, f"its head has more than {ANSWER_BYTES} bytes")
    return data[:end], len(data) > end
