"""One question to a server and all its redirects, under one deadline, as our errors."""

import asyncio
import re
from dataclasses import dataclass
from typing import Final

import httpx

from weighbridge.domain.limits import REDIRECTS
from weighbridge.errors import AddressRefused, RegistryError, TransportError
from weighbridge.net.failures import (
    AddressNotAllowed,
    BodyTooLarge,
    HandshakeFailed,
    HeaderTooLarge,
    NameNotFound,
)
from weighbridge.net.guard import Reach
from weighbridge.net.route import origin, origin_text

_REDIRECT_STATUSES: Final = frozenset({301, 302, 303, 307, 308})
_CARRIED_AWAY: Final = frozenset({"accept", "accept-encoding", "user-agent", "range"})
"""All that another origin than the first one is told, in lower case."""
_LOCATION = re.compile(r"[\x21-\x5b\x5d-\x7e]{1,8192}")
"""Visible ASCII without a backslash, which some parsers take for a slash."""
_NO_BODY: Final = httpx.ByteStream(b"")


@dataclass(frozen=True, slots=True)
class Ask:
    """A GET or HEAD, and what may be done to answer it.

    headers:               sent to the first origin; Accept, User-Agent and Range of
                           them also to others
    secret_headers:        sent to the first origin only, and never again once a
                           redirect has left it, even if a later one comes back
    body_limit:            bytes
    deadline_s:            over all hops
    ceiling:               how near an address may be, at every hop
    trusted_storage_hosts: "host" or "host:port" that a redirect may lead to wherever
                           they are
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    secret_headers: tuple[tuple[str, str], ...]
    body_limit: int
    deadline_s: float
    ceiling: Reach
    trusted_storage_hosts: frozenset[str]
    follow_redirects: bool = True


async def follow(transport: httpx.AsyncBaseTransport, ask: Ask) -> httpx.Response:
    """The answer at the end of at most five redirects, read whole.

    With `follow_redirects` off, a 30x is the answer. Where a body was longer than
    `body_limit`, an answer that is no success has an empty one, and a 200 to a
    request for a range cannot be read (its status tells that the range was ignored).

    Raises TransportError (deadline, header_too_large, content_encoding_refused,
    too_large, connection_reset, tls_error, connect_error, dns_error, bad_answer,
    bad_request, redirect_refused, too_many_redirects), AddressRefused
    (address_refused, or redirect_refused after a redirect) and RegistryError
    (unauthorized: another origin than the first asks for credentials).
    """
    ends_at = asyncio.get_running_loop().time() + ask.deadline_s
    url = _first_url(ask.url)
    home = origin(url)
    away = False
    for hop in range(REDIRECTS + 1):
        response = await _send(transport, ask, url, hop, away=away, ends_at=ends_at)
        if response.status_code == 401 and away:
            raise RegistryError(
                f"{_name(url)} asks for credentials, but a redirect led there",
                code="unauthorized",
                hint="credentials go to the registry's own address only",
            )
        if response.status_code not in _REDIRECT_STATUSES or not ask.follow_redirects:
            return _judge_budget(response, ask, url)
        url = _next_url(url, response)
        away = away or origin(url) != home
    raise TransportError(
        f"{origin_text(*home)} redirects more than {REDIRECTS} times",
        code="too_many_redirects",
        retryable=False,
    )


async def _send(
    transport: httpx.AsyncBaseTransport,
    ask: Ask,
    url: httpx.URL,
    hop: int,
    *,
    away: bool,
    ends_at: float,
) -> httpx.Response:
    request = httpx.Request(
        ask.method,
        url,
        headers=_headers(ask, url, away=away),
        stream=_NO_BODY,
        extensions={
            "ceiling": _ceiling(ask, url, hop),
            "body_limit": ask.body_limit,
            "deadline": ends_at - asyncio.get_running_loop().time(),
        },
    )
    try:
        return await transport.handle_async_request(request)
    except httpx.RequestError as exc:
        raise _translated(exc, url, hop) from exc


def _headers(ask: Ask, url: httpx.URL, *, away: bool) -> list[tuple[str, str]]:
    own = [("Host", url.netloc.decode("ascii")), ("Accept-Encoding", "identity")]
    given = [field for field in ask.headers if field[0].lower() != "accept-encoding"]
    if away:
        return own + [field for field in given if field[0].lower() in _CARRIED_AWAY]
    return own + given + list(ask.secret_headers)


def _ceiling(ask: Ask, url: httpx.URL, hop: int) -> Reach:
    """The ask's own, but for a named host that a redirect leads to."""
    if hop and ask.trusted_storage_hosts:
        _, host, port = origin(url)
        if not ask.trusted_storage_hosts.isdisjoint({host, f"{host}:{port}"}):
            return Reach.LOOPBACK
    return ask.ceiling


def _first_url(text: str) -> httpx.URL:
    try:
        return httpx.URL(text)
    except httpx.InvalidURL as exc:
        raise TransportError(
            f"not a usable address: {exc}", code="bad_request", retryable=False
        ) from exc


def _next_url(url: httpx.URL, response: httpx.Response) -> httpx.URL:
    """Where a redirect leads, if it may lead there.

    That its address may be reached is judged when it is dialled.
    """
    locations = [v for k, v in response.headers.raw if k.lower() == b"location"]
    if len(locations) != 1:
        raise _refused(url, f"has {len(locations)} Location fields")
    location = locations[0].decode("latin-1")
    if _LOCATION.fullmatch(location) is None:
        raise _refused(url, "has a Location that is no URL")
    try:
        named = httpx.URL(location)
        target = url.join(named)
        _, host, port = origin(target)
    except (httpx.InvalidURL, ValueError) as exc:
        raise _refused(url, "has a Location that is no URL") from exc
    if not host or ((named.scheme or location.startswith("//")) and not named.host):
        # httpx joins http:///x to the host that it came from.
        raise _refused(url, "has a Location without a host")
    if not 0 < port < 65_536:
        raise _refused(url, "leads to another scheme than http and https, or no port")
    if target.userinfo:
        raise _refused(url, "has credentials in its Location")
    if url.scheme == "https" and target.scheme != "https":
        raise _refused(url, "leads from https to http")
    return target.copy_with(fragment=None) if target.fragment else target


def _refused(url: httpx.URL, why: str) -> TransportError:
    return TransportError(
        f"a redirect of {_name(url)} {why}", code="redirect_refused", retryable=False
    )


def _judge_budget(response: httpx.Response, ask: Ask, url: httpx.URL) -> httpx.Response:
    if not response.extensions.get("over_budget"):
        return response
    if not response.is_success:
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            content=b"",
            request=response.request,
            extensions=response.extensions,
        )
    ranged = any(name.lower() == "range" for name, _ in ask.headers)
    if ranged and response.status_code == 200:
        return response
    raise TransportError(
        f"{_name(url)} answers with more than {ask.body_limit} bytes",
        code="too_large",
        retryable=False,
    )


@dataclass(frozen=True, slots=True)
class _Kind:
    code: str
    retryable: bool
    hint: str = ""


# The first class that fits decides, so the narrower ones come first.
_KINDS: Final[tuple[tuple[type[httpx.RequestError], _Kind], ...]] = (
    (httpx.TimeoutException, _Kind("deadline", True)),
    (NameNotFound, _Kind("dns_error", True, "is the name of the registry right?")),
    (HandshakeFailed, _Kind("tls_error", False, "name its authority with ca_file")),
    (httpx.ConnectError, _Kind("connect_error", True, "does the registry run there?")),
    (BodyTooLarge, _Kind("too_large", False)),
    (httpx.NetworkError, _Kind("connection_reset", True)),
    (HeaderTooLarge, _Kind("header_too_large", False)),
    (httpx.RemoteProtocolError, _Kind("bad_answer", True, "is it a registry?")),
    (httpx.DecodingError, _Kind("content_encoding_refused", False)),
    (httpx.LocalProtocolError, _Kind("bad_request", False)),
    (httpx.UnsupportedProtocol, _Kind("bad_request", False)),
    (httpx.RequestError, _Kind("transport_error", True)),
)


def _translated(exc: httpx.RequestError, url: httpx.URL, hop: int) -> TransportError:
    message = f"{_name(url)}: {exc}"
    if isinstance(exc, AddressNotAllowed):
        return AddressRefused(
            message,
            code="redirect_refused" if hop else "address_refused",
            hint="name the host in trusted_storage_hosts if it is yours"
            if hop
            else "set address_class if the registry is meant to be there",
        )
    kind = next(kind for type_, kind in _KINDS if isinstance(exc, type_))
    return TransportError(
        message, code=kind.code, retryable=kind.retryable, hint=kind.hint
    )


def _name(url: httpx.URL) -> str:
    """What messages say of a URL: its origin. A query may carry a signature."""
    return origin_text(*origin(url))
