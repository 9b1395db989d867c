"""Several processes ask one registry as if they were one, as long as Redis is there."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from support.redis_server import RedisServer, a_redis
from support.wait import wait_until
from weighbridge.config.settings import Pace
from weighbridge.errors import RateLimited
from weighbridge.jobs.shared_pacing import SharedPaces, SharedPacing
from weighbridge.ports import IS_URGENT


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with a_redis() as running:
        yield running


@pytest.fixture
def redis(server: RedisServer) -> RedisServer:
    with server.client() as client:
        client.flushall()
    return server


@asynccontextmanager
async def processes(
    redis: RedisServer, pace: Pace, count: int = 2
) -> AsyncIterator[list[SharedPacing]]:
    """The gates of so many processes before the same registry."""
    async with AsyncExitStack() as stack:
        gates = []
        for _ in range(count):
            paces = SharedPaces(redis.url)
            stack.push_async_callback(paces.aclose)
            gates.append(paces.of("hub", pace))
        yield gates


async def test_no_more_requests_are_under_way_than_one_process_might_make(
    redis: RedisServer,
) -> None:
    under_way, most = 0, 0

    async def ask(gate: SharedPacing) -> None:
        nonlocal under_way, most
        async with gate.turn():
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.01)
            under_way -= 1

    async with processes(redis, Pace(None, 3)) as gates:
        await asyncio.gather(*(ask(gates[n % 2]) for n in range(20)))

    assert most == 3


async def test_a_second_of_all_has_as_many_requests_as_are_allowed(
    redis: RedisServer,
) -> None:
    async def ask(gate: SharedPacing) -> None:
        async with gate.turn():
            return

    began = time.monotonic()
    async with processes(redis, Pace(20.0, 8)) as gates:
        await asyncio.gather(*(ask(gates[n % 2]) for n in range(50)))
    took_s = time.monotonic() - began

    # Twenty at once after a rest, thirty more at twenty a second.
    assert 1.4 < took_s < 4


async def test_f03_what_one_is_told_to_wait_all_wait(redis: RedisServer) -> None:
    async with processes(redis, Pace(None, 8)) as (told, other):
        await told.pause(0.5)
        began = time.monotonic()
        async with other.turn():
            waited_s = time.monotonic() - began

    assert 0.4 < waited_s < 3


async def test_a_quarter_of_an_hour_is_not_slept(redis: RedisServer) -> None:
    async with processes(redis, Pace(None, 8)) as (told, other):
        await told.pause(901)
        with pytest.raises(RateLimited) as refused:
            async with other.turn():
                pass

    assert refused.value.retry_after == pytest.approx(901, abs=2)


async def test_the_slot_of_a_process_that_was_cancelled_is_free_again(
    redis: RedisServer,
) -> None:
    async with processes(redis, Pace(None, 1)) as (one, other):

        async def ask() -> None:
            async with one.turn():
                await asyncio.sleep(60)

        asking = asyncio.create_task(ask())
        await asyncio.sleep(0.1)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

        async with asyncio.timeout(2), other.turn():
            pass


async def test_who_is_urgent_has_the_next_slot(redis: RedisServer) -> None:
    order: list[str] = []
    may_end = asyncio.Event()
    async with processes(redis, Pace(None, 1)) as (one, other):

        async def ask(gate: SharedPacing, name: str, *, is_urgent: bool) -> None:
            IS_URGENT.set(is_urgent)
            async with gate.turn():
                order.append(name)
                await may_end.wait()

        first = asyncio.create_task(ask(one, "first", is_urgent=False))
        await wait_until(lambda: bool(order), "the first has the slot")
        others = [
            asyncio.create_task(ask(one, "a crawl", is_urgent=False)) for _ in range(20)
        ]
        push = asyncio.create_task(ask(other, "a push", is_urgent=True))
        with redis.client() as client:
            await wait_until(
                lambda: bool(client.exists("weighbridge:pace:hub:ahead")),
                "the push waits",
            )
        may_end.set()
        await asyncio.wait_for(asyncio.gather(first, push), 5)
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    assert order[:2] == ["first", "a push"]


async def test_without_redis_a_process_keeps_to_its_share(redis: RedisServer) -> None:
    async with processes(redis, Pace(None, 6), count=3) as gates:
        for gate in gates:
            async with gate.turn():
                pass
        async with gates[0].turn():
            pass  # It knows the others now.
        redis.stop()
        under_way, most = 0, 0

        async def ask() -> None:
            nonlocal under_way, most
            async with gates[0].turn():
                under_way += 1
                most = max(most, under_way)
                await asyncio.sleep(0.01)
                under_way -= 1

        try:
            await asyncio.gather(*(ask() for _ in range(10)))
        finally:
            redis.start()

    assert most == 2
