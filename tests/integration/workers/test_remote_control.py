"""Celery's own tools show what workers do, and cannot change it."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest
from celery import Celery

from support.generated_content import generated_content
from support.worker_crew import Crew, Process, a_crew
from weighbridge.demo.http.server import RunningDemo
from weighbridge.ports.job_names import CRAWL, QUEUES, TICK

PASSWORD: Final = "hunter2-of-redis"
CHANGING: Final[dict[str, dict[str, Any]]] = {
    "shutdown": {},
    "terminate": {"task_id": "a1", "signal": "KILL"},
    "revoke": {"task_id": "a1"},
    "pool_restart": {},
    "pool_shrink": {"n": 1},
    "pool_grow": {"n": 100},
    "autoscale": {"max": 1, "min": 0},
    "cancel_consumer": {"queue": "crawl"},
    "add_consumer": {"queue": "evil"},
    "rate_limit": {"task_name": TICK, "rate_limit": "1/h"},
    "time_limit": {"task_name": TICK, "hard": 1},
    "hello": {"from_node": "x", "revoked": {"a1": 1}},
    "objgraph": {"num": 1},
    "memsample": {},
    "report": {},
    "no_such_command": {},
}


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    running = RunningDemo(generated_content(repositories=1, tags=1))
    try:
        folder = tmp_path_factory.mktemp("crew")
        with a_crew(folder, running.url, engine="sqlite") as crew:
            with crew.redis.client() as client:
                client.config_set("requirepass", PASSWORD)
            crew.redis.password = PASSWORD
            configured = json.loads(crew.config.read_text())
            crew.config.write_text(
                json.dumps(configured | {"redis_url": crew.redis.url.reveal()})
            )
            yield crew
    finally:
        running.close()


@pytest.fixture(scope="module")
def worker(crew: Crew) -> Process:
    worker = crew.single_worker()
    crew.wait_for(lambda: worker.has_begun(1), "it is ready")
    return worker


def celery(crew: Crew, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "celery", "-A", "weighbridge_workers.app", *arguments],
        env={**os.environ, "WEIGHBRIDGE_CONFIG": str(crew.config)},
        cwd=crew.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def asked(crew: Crew, command: str) -> object:
    """What the one worker answers to `celery inspect`."""
    node = f"some@{socket.gethostname()}"
    done = celery(
        crew,
        *("-q", "inspect", command, "--json", "--timeout", "30"),
        *("--destination", node),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (answer,) = json.loads(done.stdout.splitlines()[-1]).values()
    assert PASSWORD not in done.stdout
    return answer


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("ping", "pong"),
        ("registered", CRAWL),
        ("conf", "beat_schedule"),
        # A second each, and the way is the same.
        pytest.param("active", "[]", marks=pytest.mark.long),
        pytest.param("reserved", "[]", marks=pytest.mark.long),
        pytest.param("stats", "prefetch_count", marks=pytest.mark.long),
        pytest.param("active_queues", QUEUES[0], marks=pytest.mark.long),
    ],
)
@pytest.mark.usefixtures("worker")
def test_a_worker_says_what_it_does(crew: Crew, command: str, shown: str) -> None:
    assert shown in json.dumps(asked(crew, command))


def test_t12_a_command_that_changes_something_is_refused(
    crew: Crew, worker: Process
) -> None:
    app = Celery(broker=crew.redis.url.reveal(), set_as_current=False, fixups=[])
    refusals = {
        command: list(
            app.control.broadcast(
                command, arguments=arguments, reply=True, limit=1, timeout=30
            )
            or ()
        )
        for command, arguments in CHANGING.items()
    }
    app.close()

    for command, answers in refusals.items():
        (answer,) = answers
        assert "do not take this command" in str(answer), command
    assert worker.popen.poll() is None
    assert worker.log.count(" ready.") == 1
    queues = json.dumps(asked(crew, "active_queues"))
    assert "evil" not in queues
    assert '"crawl"' in queues


def test_events_show_what_is_done(crew: Crew, worker: Process) -> None:
    printed = crew.folder / "events.log"
    with printed.open("wb") as output:
        events = subprocess.Popen(
            [
                *(
                    sys.executable,
                    "-m",
                    "celery",
                    "-q",
                    "-A",
                    "weighbridge_workers.app",
                ),
                *("events", "--dump"),
            ],
            env={
                **os.environ,
                "WEIGHBRIDGE_CONFIG": str(crew.config),
                "PYTHONUNBUFFERED": "1",
            },
            cwd=crew.folder,
            stdout=output,
            stderr=output,
        )
    try:
        crew.wait_for(
            lambda: "heartbeat" in printed.read_text(), "a worker is seen to live"
        )
        assert celery(crew, "-q", "control", "enable_events").returncode == 0

        def is_seen() -> bool:
            crew.enqueue_tick()
            time.sleep(0.5)
            return "task succeeded" in printed.read_text()

        crew.wait_for(is_seen, f"a job is seen: {printed.read_text()}")
        assert PASSWORD not in printed.read_text()
    finally:
        events.kill()
        events.wait()
