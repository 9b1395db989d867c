"""Several processes ask one registry as if they were one."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from support.paced_processes import Traffic, processes, requests_alone
from support.redis_server import RedisServer, a_redis
from support.wait import PATIENCE_S, wait_until
from weighbridge.config.settings import Pace
from weighbridge.domain.limits import REQUEST_DEADLINE_S
from weighbridge.errors import RateLimited
from weighbridge.jobs.pacing.shared_pacing import read_pauses
from weighbridge.registry.pacing.rate_limiter import Rank, RateLimiter

PROCESSES = "weighbridge:pace:hub:processes"


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with a_redis() as running:
        yield running


@pytest.fixture
def redis(server: RedisServer) -> RedisServer:
    with server.client() as client:
        client.flushall()
    return server


async def a_turn(gate: RateLimiter, rank: Rank = Rank.ORDINARY) -> None:
    async with gate.turn(rank):
        pass


@pytest.mark.parametrize("concurrency", [1, 2, 3, 8])
async def test_no_more_requests_are_under_way_than_one_process_might_make(
    redis: RedisServer, concurrency: int
) -> None:
    async with processes(redis, Pace(None, concurrency), 3) as gates:
        traffic = Traffic(gates, takes_s=0.01)
        alone = await requests_alone(redis, takes_s=0.01, for_s=1.5)
        await traffic.stop()

    # From two on one is kept for pushes.
    assert traffic.most == max(1, concurrency - 1)
    # Each slot is used half of the time that it might be.
    assert len(traffic.moments) > traffic.most * alone / 2


async def test_pushes_and_crawls_together_have_all_slots(redis: RedisServer) -> None:
    under_way, most = 0, 0

    async def push(gate: RateLimiter) -> None:
        nonlocal under_way, most
        async with gate.turn(Rank.URGENT):
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.05)
            under_way -= 1

    async with processes(redis, Pace(None, 3)) as gates:
        await asyncio.gather(*(push(gates[n % 2]) for n in range(20)))

    assert most == 3


async def test_processes_share_slots_evenly(redis: RedisServer) -> None:
    async with processes(redis, Pace(None, 8), 3) as gates:
        traffic = Traffic(gates, takes_s=0.02)
        await asyncio.sleep(3)
        await traffic.stop()

    assert min(traffic.by_gate) > max(traffic.by_gate) / 2, traffic.by_gate


async def test_the_only_slot_goes_round(redis: RedisServer) -> None:
    async with processes(redis, Pace(None, 1), 2) as gates:
        traffic = Traffic(gates, takes_s=0.02)
        await asyncio.sleep(4)
        await traffic.stop()

    assert min(traffic.by_gate) > max(traffic.by_gate) / 4, traffic.by_gate


async def test_at_no_time_there_were_more_requests_than_are_allowed(
    redis: RedisServer,
) -> None:
    async with processes(redis, Pace(20.0, 8)) as gates:
        began = time.monotonic()
        traffic = Traffic(gates, takes_s=0.01)
        await asyncio.sleep(4)
        await traffic.stop()

    # What a second allows may go at once after a rest. Redis counts milliseconds.
    assert traffic.most_beyond(20) < 20.1
    # A machine that stands still makes some of these seconds slow, not each.
    seconds = [traffic.between(began + n, began + n + 1) for n in range(4)]
    assert max(seconds[1:]) >= 18, seconds


async def test_f03_what_one_is_told_to_wait_all_wait(redis: RedisServer) -> None:
    async with processes(redis, Pace(None, 8)) as (told, other):
        began = time.monotonic()
        told.saw(429, retry_after=0.5)
        with redis.client() as client:
            await wait_until(
                lambda: bool(client.exists("weighbridge:pace:hub:pause")), "it is told"
            )
        await a_turn(other)
        waited_s = time.monotonic() - began

    assert waited_s > 0.49  # Redis counts milliseconds.


async def test_f03_what_one_is_told_to_wait_is_read_by_who_asks_what_waits(
    redis: RedisServer,
) -> None:
    async with processes(redis, Pace(None, 8)) as (told, _):
        told.saw(429, retry_after=30)
        with redis.client() as client:
            await wait_until(
                lambda: bool(client.exists("weighbridge:pace:hub:pause")), "it is told"
            )
        pauses = read_pauses(redis.url, ["hub", "other"])

    assert list(pauses) == ["hub"]
    assert 25 < pauses["hub"] <= 30


@pytest.mark.parametrize("value", ["", "x", "-5", "9" * 400, "5", "1e300"])
def test_h1_a_pause_that_is_not_of_our_making_is_none(
    redis: RedisServer, value: str
) -> None:
    with redis.client() as client:
        client.set("weighbridge:pace:hub:pause", value)
        client.rpush("weighbridge:pace:other:pause", "1")

    assert read_pauses(redis.url, ["hub", "other"]) == {}


async def test_a_quarter_of_an_hour_is_not_slept(redis: RedisServer) -> None:
    async with processes(redis, Pace(None, 8)) as (told, other):
        told.saw(429, retry_after=1000)
        with redis.client() as client:
            await wait_until(
                lambda: bool(client.exists("weighbridge:pace:hub:pause")), "it is told"
            )
        with pytest.raises(RateLimited) as refused:
            await a_turn(other)

    assert refused.value.retry_after == pytest.approx(1000, abs=60)


async def test_h1_what_a_redis_with_a_wrong_clock_has_kept_stops_nobody(
    redis: RedisServer,
) -> None:
    """Its clock was two years ahead when these were written."""
    far = int((time.time() + 2 * 365 * 86_400) * 1000)
    with redis.client() as client:
        for name in ("pause", "due"):
            client.set(f"weighbridge:pace:hub:{name}", str(far))
        rows = {f"far{n}": f"2 0 9 {far}" for n in range(9)}
        client.hset(PROCESSES, mapping=rows)

    async with processes(redis, Pace(5.0, 2)) as (one, other):
        began = time.monotonic()
        async with one.turn(), other.turn(Rank.URGENT):
            waited_s = time.monotonic() - began
        one.saw(429, retry_after=0.5)
        await a_turn(other)
        paused_s = time.monotonic() - began

    assert waited_s < 1
    assert 0.4 < paused_s < 5


@pytest.mark.parametrize("rest_s", [0.0, 0.02, 0.12, 0.3])
async def test_whoever_asks_again_after_a_rest_is_let_in(
    redis: RedisServer, rest_s: float
) -> None:
    """The process had just told Redis that it wants nothing."""
    async with processes(redis, Pace(20.0, 8), 1) as (gate,), asyncio.timeout(30):
        for _ in range(8):
            await a_turn(gate)
            await asyncio.sleep(rest_s)


@pytest.mark.parametrize("row", ["", "x", "1 1 1", "-1 0 0 5", "1 1 1 99 9"])
async def test_a_row_that_is_not_of_our_making_stops_nobody(
    redis: RedisServer, row: str
) -> None:
    with redis.client() as client:
        client.hset(PROCESSES, "stranger", row)

    async with processes(redis, Pace(None, 1), 1) as (gate,):
        async with asyncio.timeout(PATIENCE_S):
            await a_turn(gate)


async def test_the_slot_of_a_request_that_was_cancelled_is_free_again(
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
        async with asyncio.timeout(REQUEST_DEADLINE_S / 2):
            await a_turn(other)


async def test_what_a_process_holds_is_free_once_it_has_closed(
    redis: RedisServer,
) -> None:
    async with processes(redis, Pace(None, 1), 1) as (gate,):
        await a_turn(gate)

    with redis.client() as client:
        (row,) = client.hgetall(PROCESSES).values()
    assert row.split()[:3] == ["0", "0", "0"]


async def test_what_a_process_that_was_killed_holds_is_free_after_a_request_may_take(
    redis: RedisServer,
) -> None:
    with redis.client() as client:
        seconds, _ = client.time()
        ago = (seconds - REQUEST_DEADLINE_S - 1) * 1000
        client.hset(PROCESSES, "dead", f"1 0 1 {ago:.0f}")

    async with processes(redis, Pace(None, 1), 1) as (gate,):
        async with asyncio.timeout(PATIENCE_S):
            await a_turn(gate)


async def seconds_of_a_push(redis: RedisServer, pace: Pace, *, takes_s: float) -> float:
    """How long five requests of a push take, one after the other, beside the crawls of
    three other processes."""
    async with processes(redis, pace, 4) as (pushing, *crawling):
        traffic = Traffic(crawling, takes_s=takes_s)
        await asyncio.sleep(1.5)
        began = time.monotonic()
        for _ in range(5):
            await a_turn(pushing, Rank.URGENT)
        took_s = time.monotonic() - began
        await traffic.stop()
    return took_s


async def test_a_push_waits_for_no_turn_in_the_rate(redis: RedisServer) -> None:
    took_s = [
        await seconds_of_a_push(redis, Pace(20.0, 8), takes_s=0.05) for _ in range(3)
    ]

    # In its turn it would wait two seconds. A machine may stand still once.
    assert min(took_s) < 0.3, took_s


async def test_a_push_has_a_slot_where_all_requests_take_long(
    redis: RedisServer,
) -> None:
    took_s = [
        await seconds_of_a_push(redis, Pace(None, 4), takes_s=30) for _ in range(3)
    ]

    assert min(took_s) < 0.3, took_s


async def test_a_push_has_the_next_slot_where_there_is_one(redis: RedisServer) -> None:
    took_s = [
        await seconds_of_a_push(redis, Pace(None, 1), takes_s=0.2) for _ in range(3)
    ]

    # Until one is told and the request that is under way ends; then it has five turns.
    assert min(took_s) < 2, took_s
