"""The only way out over HTTP: whole answers, within a budget, before a deadline.

Two rules of the connections to one origin keep answers in their place. Rest: the
connection that has been idle longest is lent first, and not at once after its last
answer; a stray answer then arrives while nobody waits for one, where it is seen.
Distrust: after any sign of a desync the kept connections are closed, and for a minute
each request has a connection of its own.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Final

import httpx
from msgspec import Struct

from weighbridge.domain.limits import CONNECT_DEADLINE_S
from weighbridge.net.connection.connect import Connection, Connector
from weighbridge.net.failure.request_failures import CutOff, KeptConnectionClosed
from weighbridge.net.guard.addresses import (
    Address,
    OriginRoute,
    Proxy,
    Reach,
    Resolver,
    SystemResolver,
)
from weighbridge.net.http1.answer import AnswerReader, HTTPAnswer
from weighbridge.net.http1.head import HTTPRequest, request_bytes


class PoolRules(Struct, frozen=True):
    """How connections are kept.

    connections: requests in flight to one origin
    keepalive_s: a connection that was idle for longer is closed
    rest_s:      a connection rests for as long between two requests, while there are
                 fewer connections than twice the requests in flight
    distrust_s:  for as long after a sign of a desync nothing is kept
    connect_s:   a connection is to be there after as long, with TLS
    """

    connections: int = 32
    keepalive_s: float = 30.0
    rest_s: float = 0.005
    distrust_s: float = 60.0
    connect_s: float = CONNECT_DEADLINE_S


class Pool:
    """Lends connections to one origin. Time is the loop's."""

    def __init__(self, rules: PoolRules, on_desync: Callable[[], None]) -> None:
        self.slots = asyncio.Semaphore(rules.connections)
        self.in_flight = 0
        self.connections: set[Connection] = set()
        self._idle: deque[Connection] = deque()
        self._rules = rules
        self._on_desync = on_desync
        self._distrusted_until = 0.0

    def lend(self, now: float) -> Connection | None:
        """A kept connection that is fit for a request, or None: open one then."""
        while self._idle:
            longest_idle = self._idle[0]
            rested_s = now - longest_idle.idle_since
            if rested_s < self._rules.rest_s and self._may_grow():
                return None
            self._idle.popleft()
            fresh = rested_s <= self._rules.keepalive_s
            if fresh and longest_idle.open and longest_idle.silent():
                return longest_idle
            longest_idle.close()
        return None

    def keep(self, connection: Connection, now: float) -> None:
        """Take a connection back after a whole answer."""
        if not connection.open:
            return
        if connection.distrusted or self.distrusted(now):
            connection.close()
            return
        connection.idle_since = now
        self._idle.append(connection)

    def distrusted(self, now: float) -> bool:
        """Whether a desync was seen within the last minute."""
        return now < self._distrusted_until

    def distrust(self) -> None:
        """Something came that belongs to no request."""
        self._on_desync()
        if self._rules.distrust_s > 0:
            now = asyncio.get_running_loop().time()
            self._distrusted_until = now + self._rules.distrust_s
            for connection in self.connections:
                connection.distrusted = True
            self.close_idle()

    def forget(self, connection: Connection) -> None:
        """A connection has ended."""
        self.connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def close_idle(self) -> None:
        """Close every kept connection."""
        while self._idle:
            self._idle.pop().close()

    def close_expired(self, now: float) -> None:
        """Close the kept connections that were idle for too long."""
        while self._idle and now - self._idle[0].idle_since > self._rules.keepalive_s:
            self._idle.popleft().close()

    def unused(self, now: float) -> bool:
        """Whether nothing is lost by forgetting this pool."""
        return not (self.in_flight or self._idle or self.distrusted(now))

    def _may_grow(self) -> bool:
        return len(self.connections) < 2 * self.in_flight


_POOLS: Final = 64
"""Redirects may name any number of hosts: the pools least recently used make room."""
_CLOSING_S: Final = 2.0


class Connections:
    """Sends requests over connections that passed the guard.

    An answer is read whole before it is given, so nothing has to be closed.

    connections:    requests in flight to one origin
    on_certificate: told of every TLS connection until when the server's certificate
                    holds
    proxy:          what all of them go through, None for none; nothing else says one
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
        proxy: Proxy | None = None,
    ) -> None:
        self._proxy = proxy
        self._rules = rules or PoolRules(connections, keepalive_s)
        self._own_resolver: SystemResolver | None = None
        if resolver is None:
            resolver = self._own_resolver = SystemResolver()
        self._connector = Connector(
            resolver, tls, on_certificate, self._rules.connect_s
        )
        self._on_desync = on_desync
        self._pools: dict[OriginRoute, Pool] = {}
        self._recent: tuple[OriginRoute, Pool] | None = None
        self._closed = False

    async def send(self, request: HTTPRequest) -> HTTPAnswer:
        """The whole answer to one request. Raises httpx.RequestError, see
        `request_failures`."""
        ends_at = asyncio.get_running_loop().time() + request.deadline_s
        wire = request_bytes(request)
        route = _route(request, self._proxy)
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

    async def reach(self, address: Address, ceiling: Reach) -> None:
        """Open a connection there and close it; nothing is asked. Raises
        httpx.RequestError."""
        route = OriginRoute(
            address.scheme, address.host, address.port, ceiling, self._proxy
        )
        connection = await self._connector.connect(route, _pass, _pass)
        connection.close()

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


def _pass(*_: object) -> None:
    """Nobody has to hear of a connection that is not kept."""


def _route(request: HTTPRequest, proxy: Proxy | None) -> OriginRoute:
    address = request.address
    if not address.port or not address.host:
        raise httpx.UnsupportedProtocol("an address begins with http:// or https://")
    return OriginRoute(
        address.scheme, address.host, address.port, request.ceiling, proxy
    )


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
