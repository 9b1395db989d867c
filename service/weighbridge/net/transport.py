"""Guarded HTTP for an ordinary `httpx.AsyncClient`."""

from collections.abc import AsyncIterator
from typing import Final

import httpx

from weighbridge import __version__
from weighbridge.domain.limits import MANIFEST_BODY_BYTES, REQUEST_DEADLINE_S
from weighbridge.net.failure.request_failures import BodyTooLarge
from weighbridge.net.follow import follow
from weighbridge.net.guard.reach import Reach
from weighbridge.net.guard.url_parts import address_of_url
from weighbridge.net.http1.answer import HTTPAnswer
from weighbridge.net.http1.head import HTTPRequest, Sender

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
    trusted_storage_hosts: see `follow`
    """

    def __init__(
        self,
        connections: Sender,
        *,
        ceiling: Reach = Reach.PUBLIC,
        body_limit: int = MANIFEST_BODY_BYTES,
        trusted_storage_hosts: frozenset[str] = frozenset(),
    ) -> None:
        self._connections = connections
        self._ceiling = ceiling
        self._body_limit = body_limit
        self._trusted_storage_hosts = trusted_storage_hosts

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
            answer, _ = await follow(self._connections, ours, hosts)
        else:
            answer = await self._connections.send(ours)
        return _response(answer, request)

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
