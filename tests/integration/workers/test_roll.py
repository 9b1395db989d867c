"""Who works is known by what they say, and who was killed is forgotten."""

import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from support.redis_server import RedisServer, a_redis
from support.wait import PATIENCE_S, wait_in_thread
from weighbridge.jobs.over_celery import CeleryJobs
from weighbridge.jobs.roll import LIVES_S
from weighbridge_workers.shared_memory import SharedMemory
from weighbridge_workers.watchdog import Watchdog, canary_queue

KILLED = "all@gone.7"


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with a_redis() as running:
        yield running


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
