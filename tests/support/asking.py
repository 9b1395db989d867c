"""Requests with defaults, so that a test states only what it is about."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from support.wait import PATIENCE_S
from weighbridge.net.connections import Connections
from weighbridge.net.guard.addresses import Reach, address_of
from weighbridge.net.http1.head import HTTPRequest, Sender
from weighbridge.net.transport import Transport, client_over


def a_request(
    url: str,
    *,
    method: str = "GET",
    headers: tuple[tuple[str, str], ...] = (),
    secret_headers: tuple[tuple[str, str], ...] = (),
    body_limit: int = 64 * 1024,
    deadline_s: float = PATIENCE_S,
    ceiling: Reach = Reach.LOOPBACK,
    may_repeat: bool = True,
) -> HTTPRequest:
    """One that may reach loopback."""
    return HTTPRequest(
        method,
        address_of(url),
        [(n.encode(), v.encode("latin-1")) for n, v in headers + secret_headers],
        ceiling,
        body_limit,
        deadline_s,
        may_repeat,
    )


async def asked(
    connections: Sender,
    url: str,
    *,
    method: str = "GET",
    content: bytes | None = None,
    ceiling: Reach = Reach.LOOPBACK,
    body_limit: int = 64 * 1024,
    deadline_s: float = PATIENCE_S,
    may_repeat: bool = True,
) -> httpx.Response:
    """The answer to one request of an `httpx.AsyncClient`."""
    # Not closed: these connections may be asked more.
    http = client_over(Transport(connections), deadline_s)
    extensions = {
        "ceiling": ceiling,
        "body_limit": body_limit,
        "may_repeat": may_repeat,
    }
    return await http.request(method, url, content=content, extensions=extensions)


@asynccontextmanager
async def open_until_done(connections: Connections) -> AsyncIterator[Connections]:
    """Closes them after the block, and lets the servers notice."""
    try:
        yield connections
    finally:
        await connections.aclose()
        await asyncio.sleep(0)
