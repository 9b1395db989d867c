"""Processes that ask one registry over the same Redis, and what they let through."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from redis.asyncio import Redis

from support.redis_server import RedisServer
from weighbridge.config.settings import Pace
from weighbridge.jobs.pacing.shared_pacing import SharedPaces
from weighbridge.jobs.redis.broker import GIVE_UP_S
from weighbridge.registry.pacing.rate_limiter import Clock, Rank, RateLimiter


@asynccontextmanager
async def processes(
    redis: RedisServer, pace: Pace, count: int = 2, *, give_up_s: float = GIVE_UP_S
) -> AsyncIterator[list[RateLimiter]]:
    """The gates of so many processes before the same registry."""
    async with AsyncExitStack() as stack:
        gates = []
        for _ in range(count):
            paces = SharedPaces(redis.url, give_up_s=give_up_s)
            stack.push_async_callback(paces.aclose)
            gates.append(
                RateLimiter(
                    concurrency=pace.concurrency,
                    requests_per_second=pace.requests_per_second,
                    clock=Clock(),
                    pacing=paces.of("hub", pace),
                )
            )
        yield gates


async def requests_alone(redis: RedisServer, *, takes_s: float, for_s: float) -> int:
    """How many requests a task makes in this time that has to wait for nobody, and
    asks Redis before and after each: what this machine lets one do just now."""
    count = 0
    ends_at = time.monotonic() + for_s
    async with Redis.from_url(redis.url.reveal()) as client:
        while time.monotonic() < ends_at:
            await client.ping()
            await asyncio.sleep(takes_s)
            await client.ping()
            count += 1
    return count


class Traffic:
    """Requests of `hands` tasks a process, one after the other, until it is stopped.

    moments: when each began; most: under way together
    """

    def __init__(
        self, gates: list[RateLimiter], *, hands: int = 8, takes_s: float
    ) -> None:
        self.moments: list[float] = []
        self.by_gate = [0] * len(gates)
        self.most = 0
        self._under_way = 0
        self._takes_s = takes_s
        self._tasks = [
            asyncio.create_task(self._ask(number, gate))
            for number, gate in enumerate(gates)
            for _ in range(hands)
        ]

    def between(self, since: float, until: float) -> int:
        """How many began in this time."""
        return sum(since <= moment < until for moment in self.moments)

    def most_beyond(self, per_second: float) -> float:
        """By how many the fullest stretch of time has more than the rate allows."""
        beyond, low = 0.0, float("inf")
        for number, moment in enumerate(sorted(self.moments)):
            low = min(low, number - moment * per_second)
            beyond = max(beyond, number + 1 - moment * per_second - low)
        return beyond

    async def stop(self) -> None:
        """End them all."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _ask(self, number: int, gate: RateLimiter) -> None:
        while True:
            async with gate.turn(Rank.ORDINARY):
                self._under_way += 1
                self.most = max(self.most, self._under_way)
                self.moments.append(time.monotonic())
                self.by_gate[number] += 1
                try:
                    await asyncio.sleep(self._takes_s)
                finally:
                    self._under_way -= 1
