"""Guarded HTTP: one question to a server and all its redirects, under one deadline, as
our errors; and the same for an ordinary `httpx.AsyncClient`."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from typing import Final

import httpx
from msgspec.structs import replace

from weighbridge import __version__
from weighbridge.domain.limits import MANIFEST_BODY_BYTES, REDIRECTS, REQUEST_DEADLINE_S
from weighbridge.errors import RegistryError, TransportError
from weighbridge.net.failure.request_failures import BodyTooLarge, translated
from weighbridge.net.guard.addresses import (
    Address,
    Reach,
    address_of,
    address_of_url,
    origin,
    origin_text,
)
from weighbridge.net.guard.place import Place
from weighbridge.net.http1.answer import HTTPAnswer
from weighbridge.net.http1.head import HTTPRequest, Opener, Sender

REDIRECT_STATUSES: Final = frozenset({301, 302, 303, 307, 308})
_CARRIED_AWAY: Final = frozenset({b"accept", b"user-agent", b"range"})
"""What others than the registry are told; all else may be a secret."""


async def follow(
    connections: Sender,
    request: HTTPRequest,
    trusted_storage_hosts: frozenset[str] = frozenset(),
    home: Place | None = None,
) -> tuple[HTTPAnswer, Address]:
    """The answer to a GET or HEAD at the end of at most five redirects, and the address
    that gave it.

    Once a redirect has left home, Accept, User-Agent and Range are all that
    is sent, even if a later one comes back. Where a body was longer than `body_limit`,
    an answer that is no success has an empty one, and of a 200 to a request for a range
    only the status counts: it tells that the range was ignored.

    trusted_storage_hosts: "host" or "host:port" that a redirect may lead to wherever
                           they are
    home: what may see all that is sent; None: the origin of the request

    Raises TransportError (deadline, header_too_large, content_encoding_refused,
    too_large, connection_reset, tls_error, connect_error, dns_error, bad_answer,
    bad_request, redirect_refused, too_many_redirects), AddressRefused
    (address_refused, or redirect_refused after a redirect) and RegistryError
    (unauthorized: somebody who is not at home asks for credentials).
    """
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + request.deadline_s
    first, ceiling = request.address, request.ceiling
    home = home or Place(first.origin)
    away = False
    for hop in range(REDIRECTS + 1):
        address = request.address
        try:
            answer = await connections.send(request)
        except httpx.RequestError as exc:
            raise translated(exc, address, hop) from exc
        if answer.status == 401 and away:
            raise RegistryError(
                f"{address.shown} asks for credentials, but a redirect led there",
                code="unauthorized",
                hint="credentials go to the registry's own address only",
            )
        if answer.status not in REDIRECT_STATUSES:
            _judge_budget(answer, request)
            return answer, address
        target = address_of_url(next_url(httpx.URL(address.text), answer.fields))
        away = away or not home.holds(target)
        is_named = _is_named(target, trusted_storage_hosts)
        request = replace(
            request,
            address=target,
            fields=_carried(request.fields) if away else request.fields,
            ceiling=Reach.LOOPBACK if is_named else ceiling,
            deadline_s=ends_at - loop.time(),
        )
    raise TransportError(
        f"{first.shown} redirects more than {REDIRECTS} times",
        code="too_many_redirects",
        retryable=False,
    )


def _carried(fields: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [field for field in fields if field[0].lower() in _CARRIED_AWAY]


def _is_named(address: Address, hosts: frozenset[str]) -> bool:
    return not hosts.isdisjoint({address.host, f"{address.host}:{address.port}"})


def _judge_budget(answer: HTTPAnswer, request: HTTPRequest) -> None:
    if not answer.over_budget or not 200 <= answer.status < 300:
        return
    is_ranged = any(name.lower() == b"range" for name, _ in request.fields)
    if not is_ranged or answer.status != 200:
        raise TransportError(
            f"{request.address.shown} answers with more than"
            f" {request.body_limit} bytes",
            code="too_large",
            retryable=False,
        )


# Visible ASCII without a backslash, which some parsers take for a slash.
_LOCATION = re.compile(r"[\x21-\x5b\x5d-\x7e]{1,8192}")


def next_url(url: httpx.URL, fields: Iterable[tuple[bytes, bytes]]) -> httpx.URL:
    """The URL that a 30x from `url` names in these fields, without its fragment.

    Whether its address may be reached is judged when it is dialled. Raises
    TransportError(redirect_refused).
    """
    locations = [v for k, v in fields if k.lower() == b"location"]
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
        f"a redirect of {origin_text(*origin(url))} {why}",
        code="redirect_refused",
        retryable=False,
    )


# An AsyncClient keeps cookies for later requests, and reads where a redirect leads.
# Cookies are kept by nobody, and redirects followed by `follow` alone.
_NOT_TOLD: Final = frozenset({b"set-cookie", b"location"})


class Transport(httpx.AsyncBaseTransport):
    """What everything asks through that is not the crawl's own path: token servers,
    the APIs of vendors, channels, another Weighbridge.

    Answers are read whole before they are returned. A 30x is an answer, and does not
    tell where it leads. Of `request.extensions`:

    timeout:    httpx's own; `read` is for everything, from waiting for a connection to
                the last byte
    ceiling:    how near the address may be (a Reach)
    body_limit: bytes of the answer's body. A longer one of a success is not read:
                reading it raises BodyTooLarge; of a refusal it is left out
    may_repeat: whether it may be sent once more where the server closed a kept
                connection before it answered; False unless it is said

    follow:     whether redirects of this GET are followed, as `follow` says; it then
                raises as that does

    An answer's extension `framing` is none, length, chunked or close; nothing proves a
    body with `close` whole. Raises httpx.RequestError, see `request_failures`.

    ceiling, body_limit:   of requests that say nothing else
    trusted_storage_hosts, home: see `follow`
    """

    def __init__(
        self,
        connections: Sender,
        *,
        ceiling: Reach = Reach.PUBLIC,
        body_limit: int = MANIFEST_BODY_BYTES,
        trusted_storage_hosts: frozenset[str] = frozenset(),
        home: Place | None = None,
    ) -> None:
        self._connections = connections
        self._ceiling = ceiling
        self._body_limit = body_limit
        self._trusted_storage_hosts = trusted_storage_hosts
        self._home = home

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer to one request."""
        said = request.extensions
        deadline_s = said.get("timeout", {}).get("read")
        ours = HTTPRequest(
            method=request.method,
            address=address_of_url(request.url),
            fields=request.headers.raw,
            ceiling=said.get("ceiling", self._ceiling),
            body_limit=said.get("body_limit", self._body_limit),
            deadline_s=REQUEST_DEADLINE_S if deadline_s is None else deadline_s,
            may_repeat=said.get("may_repeat", False),
            body=await request.aread(),
        )
        if said.get("follow", False):
            hosts = self._trusted_storage_hosts
            answer, _ = await follow(self._connections, ours, hosts, self._home)
        else:
            answer = await self._connections.send(ours)
        return _response(answer, request)

    async def reach(self, url: str) -> None:
        """Open a connection to where this leads, and close it: nothing is asked. Does
        nothing over what opens none. Raises TransportError."""
        if not isinstance(self._connections, Opener):
            return
        address = address_of(url)
        try:
            await self._connections.reach(address, self._ceiling)
        except httpx.RequestError as exc:
            raise translated(exc, address) from exc

    async def aclose(self) -> None:
        """End every connection."""
        await self._connections.aclose()


def client_over(
    transport: httpx.AsyncBaseTransport,
    timeout_s: float,
    *,
    contact: str = "",
    auth: httpx.Auth | None = None,
) -> httpx.AsyncClient:
    """An ordinary client. It says who we are, and reads nothing from the environment.

    timeout_s: of each request, as `Transport` takes it
    contact:   see `user_agent`
    """
    return httpx.AsyncClient(
        transport=transport,
        headers=[(b"User-Agent", user_agent(contact))],
        timeout=timeout_s,
        auth=auth,
        trust_env=False,
    )


def user_agent(contact: str = "") -> bytes:
    """What we say that we are. contact: whom a server's operator may ask about us"""
    told = f"weighbridge/{__version__}{f' (+{contact})' if contact else ''}"
    return told.encode("latin-1", "replace")


def _response(answer: HTTPAnswer, request: httpx.Request) -> httpx.Response:
    is_unread = answer.over_budget and 200 <= answer.status < 300
    return httpx.Response(
        answer.status,
        headers=[f for f in answer.fields if f[0].lower() not in _NOT_TOLD],
        stream=_Unread() if is_unread else httpx.ByteStream(answer.body),
        request=request,
        extensions={
            "http_version": answer.http_version,
            "reason_phrase": answer.reason,
            "framing": answer.framing,
        },
    )


class _Unread(httpx.AsyncByteStream):
    """Stands for a body that was not read."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        raise BodyTooLarge("the body exceeds its budget")
