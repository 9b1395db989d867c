"""While Redis is away, processes together do most of what is allowed, never more."""

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest

from support.paced_processes import Traffic, processes
from support.redis_server import RedisServer, a_redis
from weighbridge.config.settings import Pace
from weighbridge.registry.pacing.rate_limiter import Rank

RATE = 20.0
AWAY: dict[str, Callable[[RedisServer], None]] = {
    "frozen": RedisServer.freeze,
    "stopped": RedisServer.stop,
}


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with a_redis() as running:
        yield running


async def back(redis: RedisServer, how: str) -> None:
    if how == "frozen":
        redis.resume()
    else:
        await asyncio.to_thread(redis.start)


@pytest.mark.parametrize("how", AWAY)
@pytest.mark.parametrize(
    ("count", "away_s"),
    [(2, 6.0), pytest.param(5, 60.0, marks=pytest.mark.long, id="5 for long")],
)
async def test_processes_do_60_to_100_percent_of_the_rate(
    redis: RedisServer, how: str, count: int, away_s: float
) -> None:
    async with processes(redis, Pace(RATE, 8), count) as gates:
        traffic = Traffic(gates, takes_s=0.05)
        await asyncio.sleep(2)
        AWAY[how](redis)
        began = time.monotonic()
        await asyncio.sleep(away_s)
        went = traffic.between(began, began + away_s)
        await back(redis, how)
        await asyncio.sleep(4)
        came_back_at = time.monotonic()
        await asyncio.sleep(2)
        later = traffic.between(came_back_at, came_back_at + 2)
        await traffic.stop()

    allowed = RATE * away_s
    print(f"{how}, {count} processes: {went} of {allowed:.0f} in {away_s:.0f} s")
    assert 0.6 * allowed <= went <= allowed + 1
    assert later >= 0.8 * RATE * 2
    # Over all of it, the change to and fro included.
    assert traffic.most_beyond(RATE) < RATE + 1
    assert traffic.most <= 7


@pytest.mark.parametrize("how", AWAY)
async def test_processes_do_60_to_100_percent_of_the_concurrency(
    redis: RedisServer, how: str
) -> None:
    async with processes(redis, Pace(None, 8), 3) as gates:
        traffic = Traffic(gates, takes_s=0.05)
        await asyncio.sleep(2)
        AWAY[how](redis)
        began = time.monotonic()
        await asyncio.sleep(4)
        went = traffic.between(began, began + 4)
        await back(redis, how)
        await asyncio.sleep(2)
        await traffic.stop()

    # One of eight is kept for pushes; each takes 50 ms.
    print(f"{how}: {went} of {7 * 20 * 4}")
    assert went >= 0.6 * 7 * 20 * 4
    # Who had more than its share when Redis went away ends that first.
    assert 7 <= traffic.most <= 8


async def test_nobody_waits_a_second_time_for_a_frozen_redis(
    redis: RedisServer,
) -> None:
    async with processes(redis, Pace(None, 8), 1) as (gate,):
        async with gate.turn():
            pass
        redis.freeze()
        took_s = []
        for _ in range(20):
            began = time.monotonic()
            async with gate.turn(Rank.URGENT):
                await asyncio.sleep(0.05)
            took_s.append(time.monotonic() - began)

    assert sum(took_s) < 3
    assert sum(took > 0.5 for took in took_s) <= 1


async def test_a_redis_that_is_full_is_done_without(redis: RedisServer) -> None:
    async with processes(redis, Pace(None, 8), 1) as (gate,):
        async with gate.turn():
            pass
        with redis.client() as client:
            client.config_set("maxmemory", "1")
            began = time.monotonic()
            for _ in range(20):
                async with gate.turn():
                    await asyncio.sleep(0.05)
            took_s = time.monotonic() - began
            client.config_set("maxmemory", "0")

    assert took_s < 3


@pytest.mark.parametrize("name", ["processes", "due", "pause", "ahead"])
async def test_a_key_of_the_wrong_type_stops_nobody(
    redis: RedisServer, name: str
) -> None:
    with redis.client() as client:
        client.rpush(f"weighbridge:pace:hub:{name}", "x")

    async with processes(redis, Pace(RATE, 8), 2) as gates:
        for gate in gates:
            async with asyncio.timeout(5), gate.turn():
                pass

    with redis.client() as client:
        assert client.type(f"weighbridge:pace:hub:{name}") != "list"
