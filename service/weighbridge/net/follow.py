"""One question to a server and all its redirects, under one deadline, as our errors."""

import asyncio
import re
from dataclasses import dataclass, field
from typing import Final

import httpx

from weighbridge.domain.limits import REDIRECTS
from weighbridge.errors import RegistryError, TransportError
from weighbridge.net.guard.reach import Reach
from weighbridge.net.guard.url_parts import (
    Address,
    address_of,
    address_of_url,
    origin,
    origin_of,
)
from weighbridge.net.translate import translated
from weighbridge.net.wire import PlainRequest

_REDIRECT_STATUSES: Final = frozenset({301, 302, 303, 307, 308})
_OURS: Final = frozenset({"host", "accept-encoding"})
"""Set here, whatever the ask says."""
_CARRIED_AWAY: Final = frozenset({"accept", "user-agent", "range"})
"""What else another origin than the first one is told."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A GET, HEAD or POST, and what may be done to answer it.

    headers:               sent to the first origin; Accept, User-Agent and Range of
                           them also to others
    secret_headers:        sent to the first origin only, and never again once a
                           redirect has left it, even if a later one comes back
    body_limit:            bytes
    deadline_s:            over all hops
    ceiling:               how near an address may be, at every hop
    trusted_storage_hosts: "host" or "host:port" that a redirect may lead to wherever
                           they are
    body:                  of a POST, which is asked with `follow_redirects` off: no
                           other address ever gets it
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    secret_headers: tuple[tuple[str, str], ...] = field(repr=False)
    body_limit: int
    deadline_s: float
    ceiling: Reach
    trusted_storage_hosts: frozenset[str]
    follow_redirects: bool = True
    body: bytes = field(default=b"", repr=False)


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
    address = home = _first_address(ask.url)
    away = False
    for hop in range(REDIRECTS + 1):
        response = await _send(transport, ask, address, hop, away=away, ends_at=ends_at)
        if response.status_code == 401 and away:
            raise RegistryError(
                f"{address.shown} asks for credentials, but a redirect led there",
                code="unauthorized",
                hint="credentials go to the registry's own address only",
            )
        if response.status_code not in _REDIRECT_STATUSES or not ask.follow_redirects:
            return _judge_budget(response, ask, address)
        address = address_of_url(next_url(httpx.URL(address.text), response))
        away = away or address.origin != home.origin
    raise TransportError(
        f"{home.shown} redirects more than {REDIRECTS} times",
        code="too_many_redirects",
        retryable=False,
    )


async def _send(
    transport: httpx.AsyncBaseTransport,
    ask: Ask,
    address: Address,
    hop: int,
    *,
    away: bool,
    ends_at: float,
) -> httpx.Response:
    extensions: dict[str, object] = {
        "ceiling": _ceiling(ask, address, hop),
        "body_limit": ask.body_limit,
        "deadline": ends_at - asyncio.get_running_loop().time(),
    }
    fields = _fields(ask, address, away=away)
    # A body may hold a secret: it goes to the first address alone.
    body = b"" if hop else ask.body
    request = PlainRequest(ask.method, address, fields, extensions, body)
    try:
        return await transport.handle_async_request(request)
    except httpx.RequestError as exc:
        raise translated(exc, address, hop) from exc


def _fields(ask: Ask, address: Address, *, away: bool) -> list[tuple[bytes, bytes]]:
    given = ask.headers if away else ask.headers + ask.secret_headers
    fields = [(b"Host", address.netloc), (b"Accept-Encoding", b"identity")]
    for name, value in given:
        key = name.lower()
        if key in _OURS or (away and key not in _CARRIED_AWAY):
            continue
        # A character beyond Latin-1 becomes "?", which the server will refuse.
        fields.append(
            (name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        )
    return fields


def _ceiling(ask: Ask, address: Address, hop: int) -> Reach:
    """The ask's own, but for a named host that a redirect leads to."""
    if hop and ask.trusted_storage_hosts:
        host, port = address.host, address.port
        if not ask.trusted_storage_hosts.isdisjoint({host, f"{host}:{port}"}):
            return Reach.LOOPBACK
    return ask.ceiling


def _first_address(text: str) -> Address:
    try:
        return address_of(text)
    except httpx.InvalidURL as exc:
        raise TransportError(
            f"not a usable address: {exc}", code="bad_request", retryable=False
        ) from exc


def _judge_budget(
    response: httpx.Response, ask: Ask, address: Address
) -> httpx.Response:
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
        f"{address.shown} answers with more than {ask.body_limit} bytes",
        code="too_large",
        retryable=False,
    )


# Visible ASCII without a backslash, which some parsers take for a slash.
_LOCATION = re.compile(r"[\x21-\x5b\x5d-\x7e]{1,8192}")


def next_url(url: httpx.URL, response: httpx.Response) -> httpx.URL:
    """The URL that a 30x from `url` names, without its fragment.

    Whether its address may be reached is judged when it is dialled. Raises
    TransportError(redirect_refused).
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
        f"a redirect of {origin_of(url)} {why}",
        code="redirect_refused",
        retryable=False,
    )
