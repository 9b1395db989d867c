"""Who works is known by what they say, and who was killed is forgotten."""

import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from support.redis_server import RedisServer, a_redis
from support.wait import PATIENCE_S, wait_in_thread
from weighbridge.jobs.redis.over_celery import CeleryJobs
from weighbridge.jobs.redis.worker_register import LIVES_S, QueueLength, WorkerRegister
from weighbridge.ports.job_names import QUEUES
from weighbridge_workers.process import SharedMemory
from weighbridge_workers.signals import Watchdog, canary_queue

KILLED = "all@gone.7"


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    with a_redis() as server:
        yield server


@pytest.fixture
def server(running: RedisServer) -> RedisServer:
    with running.client() as client:
        client.flushall()
    return running


def test_of_a_killed_worker_nothing_is_left(server: RedisServer) -> None:
    with (
        closing(CeleryJobs(server.url, give_up_s=PATIENCE_S)) as jobs,
        server.client() as client,
    ):
        jobs.put_canary(canary_queue(KILLED))
        client.zadd("weighbridge:workers", {KILLED: time.time() - LIVES_S - 1})
        before = set(client.keys(f"*{KILLED}"))

        watchdog = Watchdog(
            server.url, SharedMemory(), worker="all@here.8", give_up=lambda: None
        )
        watchdog.start()
        wait_in_thread(lambda: not client.keys(f"*{KILLED}"), "it is forgotten")
        workers = client.zrange("weighbridge:workers", 0, -1)
        watchdog.close()

        assert canary_queue(KILLED) in before
        assert workers == ["all@here.8"]
        assert client.zcard("weighbridge:workers") == 0


@pytest.mark.parametrize("queue", QUEUES)
@pytest.mark.parametrize(
    "raw", [b"\xff\xfe", b"[" * 9_000, b'{"headers": [1]}', b"null", b""]
)
def test_broker_006_garbage_that_waits_is_counted_and_has_no_time(
    server: RedisServer, queue: str, raw: bytes
) -> None:
    with closing(WorkerRegister(server.url)) as roll, server.client() as client:
        client.lpush(queue, raw)

        assert roll.waiting()[queue] == QueueLength(1, 0.0)


@pytest.mark.parametrize("queue", QUEUES)
def test_broker_008_a_queue_that_is_none_hides_no_other(
    server: RedisServer, queue: str
) -> None:
    with closing(WorkerRegister(server.url)) as roll, server.client() as client:
        client.set(queue, "x")
        other = next(name for name in QUEUES if name != queue)
        client.lpush(other, "x")

        waiting = roll.waiting()

    assert (waiting[queue].tasks, waiting[other].tasks) == (0, 1)


def test_broker_009_a_roll_that_is_none_is_begun_again(server: RedisServer) -> None:
    with closing(WorkerRegister(server.url)) as roll, server.client() as client:
        client.set("weighbridge:workers", "x")
        with pytest.raises(OSError, match="Redis"):
            roll.note("all@here.8")

        roll.note("all@here.8")

        assert roll.workers() == 1
