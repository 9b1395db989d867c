"""The connections to one origin, and the two rules that keep answers in their place.

Rest: the connection that has been idle longest is lent first, and not at once after
its last answer; a stray answer then arrives while nobody waits for one, where it is
seen. Distrust: after any sign of a desync the kept connections are closed, and for a
minute each request has a connection of its own.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from msgspec import Struct

from weighbridge.net.connection.connection import Connection


class PoolRules(Struct, frozen=True):
    """How connections are kept.

    connections: requests in flight to one origin
    keepalive_s: a connection that was idle for longer is closed
    rest_s:      a connection rests for as long between two requests, while there are
                 fewer connections than twice the requests in flight
    distrust_s:  for as long after a sign of a desync nothing is kept
    """

    connections: int = 32
    keepalive_s: float = 30.0
    rest_s: float = 0.005
    distrust_s: float = 60.0


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
