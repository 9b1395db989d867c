"""Several processes ask one registry as if they were one, as long as Redis is there."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from support.redis_server import RedisServer, a_redis
from support.wait import PATIENCE_S, wait_until
from weighbridge.config.settings import Pace
from weighbridge.domain.limits import REQUEST_DEADLINE_S
from weighbridge.errors import RateLimited
from weighbridge.jobs.shared_pacing import QUIET_S, SharedPaces, SharedPacing
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
            # What is told while Redis is found away is lost, as it should be.
            paces = SharedPaces(redis.url, give_up_s=PATIENCE_S)
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


async def fifty_turns(redis: RedisServer) -> list[float]:
    """When each of fifty turns began, of which twenty a second are allowed; seconds
    since the first was asked for."""
    moments: list[float] = []

    async def ask(gate: SharedPacing) -> None:
        async with gate.turn():
            moments.append(time.monotonic() - began)

    async with processes(redis, Pace(20.0, 8)) as gates:
        began = time.monotonic()
        await asyncio.gather(*(ask(gates[n % 2]) for n in range(50)))
    return moments


async def test_at_no_time_there_were_more_requests_than_are_allowed(
    redis: RedisServer,
) -> None:
    moments = await fifty_turns(redis)

    # Twenty at once after a rest, then twenty a second. Redis counts milliseconds.
    earliest = [max(0.0, (n - 20) / 20 - 0.01) for n in range(1, 51)]
    assert [at >= e for at, e in zip(moments, earliest, strict=True)] == [True] * 50


async def test_a_second_of_all_has_as_many_requests_as_are_allowed(
    redis: RedisServer,
) -> None:
    took_s = []
    # A machine that stands still makes one of them slow, not each.
    for _ in range(5):
        with redis.client() as client:
            client.flushall()
        took_s.append(max(await fifty_turns(redis)))
        if took_s[-1] < 3:
            break

    assert min(took_s) < 3, took_s


async def test_f03_what_one_is_told_to_wait_all_wait(redis: RedisServer) -> None:
    async with processes(redis, Pace(None, 8)) as (told, other):
        began = time.monotonic()
        await told.pause(0.5)
        async with other.turn():
            waited_s = time.monotonic() - began

    assert waited_s > 0.49  # Redis counts milliseconds.


async def test_a_quarter_of_an_hour_is_not_slept(redis: RedisServer) -> None:
    async with processes(redis, Pace(None, 8)) as (told, other):
        await told.pause(1000)
        with pytest.raises(RateLimited) as refused:
            async with other.turn():
                pass

    assert refused.value.retry_after == pytest.approx(1000, abs=60)


async def test_h1_what_a_redis_with_a_wrong_clock_has_kept_stops_nobody(
    redis: RedisServer,
) -> None:
    """Its clock was two years ahead when these were written."""
    far = (time.time() + 2 * 365 * 86_400) * 1000
    with redis.client() as client:
        for name in ("pause", "due"):
            client.set(f"weighbridge:pace:hub:{name}", str(int(far)))
        for name, count in (("slots", 2), ("askers", 9)):
            members = {f"far{n}": far for n in range(count)}
            client.zadd(f"weighbridge:pace:hub:{name}", members)

    async with processes(redis, Pace(5.0, 2)) as (one, other):
        began = time.monotonic()
        async with one.turn(), other.turn():
            waited_s = time.monotonic() - began
        await one.pause(0.5)
        async with other.turn():
            paused_s = time.monotonic() - began

    assert waited_s < 1
    assert 0.49 < paused_s < 5


async def test_the_slot_of_a_process_that_was_cancelled_is_free_again(
    redis: RedisServer,
) -> None:
    async with processes(redis, Pace(None, 1)) as (one, other):
        is_in = asyncio.Event()

        async def ask() -> None:
            async with one.turn():
                is_in.set()
                await asyncio.Event().wait()

        asking = asyncio.create_task(ask())
        await is_in.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

        # Long before the slot would have ended by itself.
        async with asyncio.timeout(REQUEST_DEADLINE_S / 2), other.turn():
            pass


async def test_a_slot_that_was_given_to_who_is_cancelled_meanwhile_is_free_again(
    redis: RedisServer,
) -> None:
    async with processes(redis, Pace(None, 1)) as (one, other):

        async def ask() -> None:
            async with one.turn():
                raise AssertionError("it was to be cancelled before")

        async with one.turn():
            pass  # It has a connection, and Redis knows the script.
        redis.freeze()
        asking = asyncio.create_task(ask())
        for _ in range(20):
            await asyncio.sleep(0)  # What it asks is sent.
        asking.cancel()
        redis.resume()
        await asyncio.gather(asking, return_exceptions=True)

        # Long before the slot would have ended by itself.
        async with asyncio.timeout(REQUEST_DEADLINE_S / 2), other.turn():
            pass


async def test_slots_that_a_frozen_redis_gives_to_nobody_are_free_once_it_is_back(
    redis: RedisServer,
) -> None:
    elapsed = 0.0
    retry = Retry(NoBackoff(), 0)
    async with Redis.from_url(
        redis.url.reveal(), socket_timeout=0.5, retry=retry
    ) as connection:
        gate = SharedPacing(connection, "hub", Pace(None, 1), monotonic=lambda: elapsed)
        await a_turn(gate)  # Redis knows the script.
        redis.freeze()
        await a_turn(gate)  # By itself, since Redis does not answer.
        redis.resume()
        with redis.client() as client:
            await wait_until(
                lambda: client.zcard("weighbridge:pace:hub:slots") == 1,
                "Redis lets in who has gone",
            )
        elapsed += QUIET_S

        async with asyncio.timeout(REQUEST_DEADLINE_S / 2):
            await a_turn(gate)


async def a_turn(gate: SharedPacing) -> None:
    async with gate.turn():
        pass


async def has_the_next_slot(redis: RedisServer) -> bool:
    """Whether a push that waits beside twenty crawls goes before all of them."""
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
        await asyncio.gather(first, push)
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
    return order[:2] == ["first", "a push"]


async def test_who_is_urgent_has_the_next_slot(redis: RedisServer) -> None:
    was_next = [await has_the_next_slot(redis) for _ in range(6)]

    # A Redis that stands still forgets who is urgent, after a quarter of a second.
    assert sum(was_next) >= 4, was_next


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


@pytest.mark.parametrize("name", ["slots", "due", "pause", "askers"])
async def test_broker_009_what_stands_there_and_is_no_pace_holds_for_one_question(
    redis: RedisServer, name: str
) -> None:
    """Without a shared pace each process would keep to its share for ever."""
    key = f"weighbridge:pace:hub:{name}"
    with redis.client() as client:
        client.lpush(key, "x")
    async with processes(redis, Pace(20.0, 3), 1) as (gate,):
        async with gate.turn():
            pass
        with redis.client() as client:
            left = client.type(key)

    assert left != "list"


@pytest.mark.parametrize("name", ["due", "pause"])
async def test_broker_009_a_moment_that_is_no_number_is_none(
    redis: RedisServer, name: str
) -> None:
    with redis.client() as client:
        client.set(f"weighbridge:pace:hub:{name}", "soon")
    async with processes(redis, Pace(20.0, 3), 1) as (gate,), gate.turn():
        with redis.client() as client:
            slots = client.zcard("weighbridge:pace:hub:slots")

    assert slots == 1
