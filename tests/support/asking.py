"""Requests and asks with defaults, so that a test states only what it is about."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from support.wait import PATIENCE_S
from weighbridge.net.follow import Ask
from weighbridge.net.guard.reach import Reach
from weighbridge.net.transport import Transport


def an_ask(
    url: str,
    *,
    method: str = "GET",
    headers: tuple[tuple[str, str], ...] = (),
    secret_headers: tuple[tuple[str, str], ...] = (),
    body_limit: int = 64 * 1024,
    deadline_s: float = PATIENCE_S,
    ceiling: Reach = Reach.LOOPBACK,
    trusted_storage_hosts: frozenset[str] = frozenset(),
    follow_redirects: bool = True,
) -> Ask:
    """An ask that may reach loopback."""
    return Ask(
        method,
        url,
        headers,
        secret_headers,
        body_limit,
        deadline_s,
        ceiling,
        trusted_storage_hosts,
        follow_redirects,
    )


async def asked(
    transport: httpx.AsyncBaseTransport,
    url: str,
    *,
    method: str = "GET",
    ceiling: Reach = Reach.LOOPBACK,
    body_limit: int = 64 * 1024,
    deadline_s: float = PATIENCE_S,
) -> httpx.Response:
    """The answer to one request, no redirect followed."""
    request = httpx.Request(
        method,
        url,
        headers={"Accept-Encoding": "identity"},
        extensions={
            "ceiling": ceiling,
            "body_limit": body_limit,
            "deadline": deadline_s,
        },
    )
    return await transport.handle_async_request(request)


@asynccontextmanager
async def open_until_done(transport: Transport) -> AsyncIterator[Transport]:
    """Closes the transport after the block, and lets the servers notice."""
    try:
        yield transport
    finally:
        await transport.aclose()
        await asyncio.sleep(0)
