"""A message waits once, and one that is lost or came to nothing can be sent again."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from support.redis_server import RedisServer, a_redis
from support.wait import PATIENCE_S
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.jobs.redis.over_celery import CeleryJobs
from weighbridge.ports.job_names import CRAWL, TICK
from weighbridge_workers.process import Process

REPOSITORY = "hub/acme/app"


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with a_redis() as running:
        yield running


@pytest.fixture
def jobs(server: RedisServer) -> Iterator[CeleryJobs]:
    with server.client() as client:
        client.flushall()
    with closing(CeleryJobs(server.url, give_up_s=PATIENCE_S)) as jobs:
        yield jobs


def waiting(server: RedisServer, queue: str) -> int:
    with server.client() as client:
        return int(client.llen(queue))


def test_f30_two_beats_before_it_is_taken_are_one_message(
    server: RedisServer, jobs: CeleryJobs
) -> None:
    with closing(CeleryJobs(server.url, give_up_s=PATIENCE_S)) as other:
        for beat in (jobs, other, jobs):
            beat.put(TICK, "")

    assert waiting(server, "notify") == 1


def test_f33_no_message_has_an_end_that_a_wrong_clock_would_judge(
    server: RedisServer, jobs: CeleryJobs
) -> None:
    jobs.put(CRAWL, REPOSITORY)
    jobs.put(TICK, "")

    with server.client() as client:
        sent = [json.loads(client.lindex(q, 0) or "") for q in ("crawl", "notify")]
    assert [message["headers"]["expires"] for message in sent] == [None, None]


@pytest.mark.parametrize(
    ("job", "argument", "within_s"), [(TICK, "", 30), (CRAWL, REPOSITORY, 30)]
)
def test_f14_what_was_taken_by_who_was_killed_at_once_is_sent_again_soon(
    server: RedisServer, jobs: CeleryJobs, job: str, argument: str, within_s: int
) -> None:
    jobs.put(job, argument)

    with server.client() as client:
        (mark,) = client.keys("weighbridge:waiting:*")
        left_s = client.ttl(mark)
    assert 0 < left_s <= within_s


def test_f24_what_came_while_the_database_was_away_can_be_sent_again_at_once(
    server: RedisServer, jobs: CeleryJobs, tmp_path: Path
) -> None:
    environ = {
        "WEIGHBRIDGE_REDIS_URL": server.url.reveal(),
        "WEIGHBRIDGE_DATABASE_URL": f"sqlite:///{tmp_path}/no/such/folder.db",
    }
    process = Process(load_settings(None, environ, KINDS))
    jobs.put(CRAWL, REPOSITORY)

    process.do(CRAWL, REPOSITORY)
    process.close()
    jobs.put(CRAWL, REPOSITORY)

    assert waiting(server, "crawl") == 2
