"""The only way out over HTTP: whole answers, within a budget, before a deadline."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Final

import httpx

from weighbridge.net.connection.connect import Connector
from weighbridge.net.connection.connection import Connection
from weighbridge.net.connection.connection_pool import Pool, PoolRules
from weighbridge.net.failure.request_failures import CutOff, KeptConnectionClosed
from weighbridge.net.guard.resolve import Resolver, SystemResolver
from weighbridge.net.guard.url_parts import OriginRoute
from weighbridge.net.http1.answer import AnswerReader, HTTPAnswer
from weighbridge.net.http1.request import HTTPRequest, request_bytes

_POOLS: Final = 64
"""Redirects may name any number of hosts: the pools least recently used make room."""
_CLOSING_S: Final = 2.0


class Connections:
    """Sends requests over connections that passed the guard.

    An answer is read whole before it is given, so nothing has to be closed.

    connections:    requests in flight to one origin
    on_certificate: told of every TLS connection until when the server's certificate
                    holds
    """

    def __init__(
        self,
        *,
        connections: int = 32,
        tls: ssl.SSLContext | None = None,
        resolver: Resolver | None = None,
        keepalive_s: float = 30.0,
        on_desync: Callable[[str], None] | None = None,
        on_certificate: Callable[[datetime], None] | None = None,
        rules: PoolRules | None = None,
    ) -> None:
        self._rules = rules or PoolRules(connections, keepalive_s)
        self._own_resolver: SystemResolver | None = None
        if resolver is None:
            resolver = self._own_resolver = SystemResolver()
        self._connector = Connector(resolver, tls, on_certificate)
        self._on_desync = on_desync
        self._pools: dict[OriginRoute, Pool] = {}
        self._recent: tuple[OriginRoute, Pool] | None = None
        self._closed = False

    async def send(self, request: HTTPRequest) -> HTTPAnswer:
        """The whole answer to one request. Raises httpx.RequestError, see
        `request_failures`."""
        ends_at = asyncio.get_running_loop().time() + request.deadline_s
        wire = request_bytes(request)
        route = _route(request)
        pool = self._pool(route)
        if pool.slots.locked():
            async with _until(ends_at):
                await pool.slots.acquire()
        else:
            await pool.slots.acquire()  # at once
        pool.in_flight += 1
        try:
            return await self._answer(route, pool, request, wire, ends_at)
        finally:
            pool.in_flight -= 1
            pool.slots.release()

    async def aclose(self) -> None:
        """End every connection and wait until they are gone. Requests under way fail,
        and those that still wait for a connection find this closed."""
        self._closed = True
        if self._own_resolver is not None:
            self._own_resolver.close()
        ending = [c for pool in self._pools.values() for c in pool.connections]
        for connection in ending:
            connection.fail(CutOff("the connections were closed"))
        if ending:
            waits = [asyncio.create_task(c.lost.wait()) for c in ending]
            _, late = await asyncio.wait(waits, timeout=_CLOSING_S)
            for wait in late:
                wait.cancel()

    async def _answer(
        self,
        route: OriginRoute,
        pool: Pool,
        request: HTTPRequest,
        wire: bytes,
        ends_at: float,
    ) -> HTTPAnswer:
        self._refuse_if_closed()
        kept = pool.lend(asyncio.get_running_loop().time())
        if kept is not None:
            try:
                return await _ask(kept, pool, request, wire, ends_at)
            except KeptConnectionClosed:
                # RFC 9110 9.2.2: what changes nothing may be sent again. Whether it
                # does, the method alone does not tell.
                if not request.may_repeat:
                    raise
        async with _until(ends_at):
            fresh = await self._open(route, pool)
        return await _ask(fresh, pool, request, wire, ends_at)

    async def _open(self, route: OriginRoute, pool: Pool) -> Connection:
        connection = await self._connector.connect(route, pool.forget, pool.distrust)
        if self._closed:
            connection.close()
        self._refuse_if_closed()
        pool.connections.add(connection)
        return connection

    def _refuse_if_closed(self) -> None:
        """Called after each wait: a request that waited must not open connections."""
        if self._closed:
            raise CutOff("the connections were closed")

    def _pool(self, route: OriginRoute) -> Pool:
        """The pool of a route, which is from now on the last to make room."""
        if self._recent is not None and self._recent[0] == route:
            return self._recent[1]
        pool = self._pools.pop(route, None)
        if pool is None:
            self._make_room()
            pool = Pool(self._rules, partial(self._note_desync, route))
        self._pools[route] = pool
        self._recent = route, pool
        return pool

    def _make_room(self) -> None:
        now = asyncio.get_running_loop().time()
        surplus = len(self._pools) + 1 - _POOLS
        for route, pool in list(self._pools.items()):
            pool.close_expired(now)
            if surplus > 0:
                pool.close_idle()
            if pool.unused(now):
                del self._pools[route]
                surplus -= 1

    def _note_desync(self, route: OriginRoute) -> None:
        if self._on_desync is not None:
            self._on_desync(str(route))


def _route(request: HTTPRequest) -> OriginRoute:
    address = request.address
    if not address.port or not address.host:
        raise httpx.UnsupportedProtocol("an address begins with http:// or https://")
    return OriginRoute(address.scheme, address.host, address.port, request.ceiling)


@asynccontextmanager
async def _until(ends_at: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout_at(ends_at):
            yield
    except TimeoutError as exc:
        raise httpx.ReadTimeout("the deadline passed before the answer") from exc


async def _ask(
    connection: Connection,
    pool: Pool,
    request: HTTPRequest,
    wire: bytes,
    ends_at: float,
) -> HTTPAnswer:
    reader = AnswerReader(request.method, request.body_limit)
    try:
        answer = await connection.ask(wire, reader, ends_at)
    except BaseException:
        # Whoever stops waiting, by a deadline or a cancel, must not leave the rest of
        # the answer to the next request.
        connection.close()
        raise
    pool.keep(connection, asyncio.get_running_loop().time())
    return answer
