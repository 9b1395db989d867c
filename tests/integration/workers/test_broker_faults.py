"""Redis goes, comes back empty, freezes, holds strange messages: nothing is lost.

One worker, one scheduler and one service live through all of it, in this order.
"""

import base64
import json
import pickle
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import update

from support.generated_content import generated_content
from support.guarded_registry import a_free_port
from support.worker_crew import Crew, Process, a_crew
from weighbridge.demo.http.server import RunningDemo
from weighbridge.jobs.redis.over_celery import CeleryJobs
from weighbridge.ports.job_names import CRAWL, DISCOVER, TICK
from weighbridge.store.models import repositories

REPOSITORIES: Final = 5
A_TICK_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Scene:
    crew: Crew
    registry: RunningDemo
    worker: Process
    serve: Process
    port: int

    def is_served(self) -> bool:
        """Whether the service answers."""
        url = f"http://127.0.0.1:{self.port}/healthz"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def make_due(self) -> datetime:
        """Every repository is due; since when."""
        now = datetime.now(UTC)
        with self.crew.database.write() as connection:
            connection.execute(update(repositories).values(due_at=now))
        return now

    def wait_for_looks(self, since: datetime) -> float:
        """Seconds until every repository was looked at after that."""

        def is_looked_at() -> bool:
            rows = self.crew.repositories().values()
            times = [row["last_crawl_at"] for row in rows]
            return len(times) == REPOSITORIES and all(
                isinstance(at, datetime) and at > since for at in times
            )

        return self.crew.wait_for(is_looked_at, "all are looked at again")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("crew")
    registry = RunningDemo(generated_content(repositories=REPOSITORIES, tags=3))
    try:
        with a_crew(folder, registry.url) as crew:
            crew.redis.stop()
            port = a_free_port()
            serve = crew.start("serve", "--bind", f"127.0.0.1:{port}")
            worker = crew.single_worker()
            crew.quick_scheduler()
            yield Scene(crew, registry, worker, serve, port)
    finally:
        registry.close()


@contextmanager
def sending(crew: Crew) -> Iterator[CeleryJobs]:
    jobs = CeleryJobs(crew.redis.url)
    try:
        yield jobs
    finally:
        jobs.close()


def send_raw(crew: Crew, task: str, body: bytes, content_type: str) -> None:
    """A message as whoever can write to Redis may make it."""
    message = {
        "body": base64.b64encode(body).decode(),
        "content-encoding": "binary" if "json" not in content_type else "utf-8",
        "content-type": content_type,
        "headers": {"lang": "py", "task": task, "id": str(uuid.uuid4())},
        "properties": {
            "body_encoding": "base64",
            "delivery_info": {"exchange": "", "routing_key": "crawl"},
            "delivery_mode": 2,
            "delivery_tag": str(uuid.uuid4()),
            "correlation_id": str(uuid.uuid4()),
            "priority": 0,
        },
    }
    with crew.redis.client() as client:
        client.lpush("crawl", json.dumps(message))


def test_f19_redis_that_is_down_at_the_start_is_waited_for(scene: Scene) -> None:
    scene.crew.wait_for(scene.is_served, "the service answers without Redis")
    scene.crew.wait_for(
        lambda: "onnect" in scene.worker.log, "the worker has tried to connect"
    )

    scene.crew.redis.start()

    scene.crew.wait_for(
        lambda: scene.crew.is_through(REPOSITORIES), "everything is looked at"
    )
    assert scene.worker.popen.poll() is None


def test_f19_redis_that_goes_while_running_is_taken_up_again(scene: Scene) -> None:
    scene.crew.redis.stop()
    time.sleep(3)
    served = scene.is_served()
    since = scene.make_due()

    scene.crew.redis.start()

    scene.wait_for_looks(since)
    assert served


def test_f20_a_flushed_redis_is_rebuilt_by_the_scheduler(scene: Scene) -> None:
    since = scene.make_due()
    with scene.crew.redis.client() as client:
        client.flushall()

    scene.wait_for_looks(since)


@dataclass(frozen=True, slots=True)
class _Touch:
    """Makes a file where it is unpickled."""

    path: str

    def __reduce__(self) -> tuple[object, ...]:
        return (open, (self.path, "w"))


def test_broker_001_a_pickled_message_is_dropped_and_the_next_one_done(
    scene: Scene, tmp_path: Path
) -> None:
    trap = tmp_path / "unpickled"
    body = pickle.dumps(((_Touch(str(trap)),), {}, {}))
    since = scene.make_due()

    send_raw(scene.crew, CRAWL, body, "application/x-python-serialize")
    with sending(scene.crew) as jobs:
        jobs.put(TICK, "")

    scene.wait_for_looks(since)
    assert not trap.exists()
    assert "a message is dropped [malformed_job]" in scene.worker.log


def test_broker_002_results_are_neither_kept_nor_read(scene: Scene) -> None:
    poisoned = {
        "status": "FAILURE",
        "result": {"exc_type": "system", "exc_module": "os", "exc_message": "id"},
    }
    with scene.crew.redis.client() as client:
        client.set("celery-task-meta-poisoned", json.dumps(poisoned))
        since = scene.make_due()
        with sending(scene.crew) as jobs:
            jobs.put(TICK, "")

        scene.wait_for_looks(since)

        assert list(client.scan_iter("celery-task-meta-*")) == [
            "celery-task-meta-poisoned"
        ]


def test_broker_003_a_task_for_what_is_not_configured_asks_nobody(
    scene: Scene,
) -> None:
    asked = scene.registry.server.requests.total()
    strange: tuple[tuple[str, list[object]], ...] = (
        (CRAWL, ["evil/app"]),
        (CRAWL, ["http://169.254.169.254/latest"]),
        (CRAWL, ["near/../evil"]),
        (CRAWL, [{"registry": "evil", "url": "http://169.254.169.254"}]),
        (CRAWL, []),
        (DISCOVER, ["evil"]),
    )

    before = {
        code: scene.worker.log.count(code)
        for code in ("unknown_registry", "outside_filter", "malformed_job")
    }

    for task, arguments in strange:
        body = json.dumps([arguments, {}, {}]).encode()
        send_raw(scene.crew, task, body, "application/json")

    def dropped(code: str) -> int:
        return scene.worker.log.count(code) - before[code]

    scene.crew.wait_for(
        lambda: sum(dropped(code) for code in before) == len(strange), "all are dropped"
    )
    assert dropped("unknown_registry") == 3
    assert dropped("outside_filter") == 1
    assert dropped("malformed_job") == 2
    assert scene.registry.server.requests.total() == asked


@pytest.mark.long
def test_f21_work_is_handed_over_to_a_frozen_redis_for_two_seconds_at_most(
    scene: Scene,
) -> None:
    if not scene.crew.redis.is_running:  # It comes first where only long tests run.
        scene.crew.redis.start()
        scene.crew.wait_for(
            lambda: scene.crew.is_through(REPOSITORIES), "everything is looked at"
        )
    with sending(scene.crew) as jobs, sending(scene.crew) as connected:
        connected.put(TICK, "near/warm-up")
        scene.crew.redis.freeze()
        took_s = []
        for one in (jobs, connected):
            began = time.monotonic()
            one.put(CRAWL, "near/load/r00000")
            took_s.append(time.monotonic() - began)
        began = time.monotonic()
        for number in range(1_000):
            jobs.put(CRAWL, f"near/load/r{number:05}")
        rest_s = time.monotonic() - began
        scene.crew.redis.resume()

    since = scene.make_due()
    assert max(took_s) < 2
    assert rest_s < 2
    assert scene.wait_for_looks(since) <= A_TICK_S
