"""A worker that is told to stop, and has nothing to do, ends soon."""

import os
import signal
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from support.worker_crew import Crew, Process, a_crew
from weighbridge.jobs.redis.over_celery import CeleryJobs

NOBODY: Final = "http://127.0.0.1:1"
"""A registry that is never asked."""
SOON_S: Final = 5.0


def test_a_worker_with_nothing_to_do_ends_within_five_seconds(tmp_path: Path) -> None:
    with a_crew(tmp_path, NOBODY, engine="sqlite") as crew:
        worker = an_idle_worker(crew)

        began = time.monotonic()
        code = worker.stop()
        took_s = time.monotonic() - began

        print(f"ended after {took_s:.1f} s")
        assert code == 0, worker.log
        assert took_s < SOON_S, worker.log


def test_a_worker_that_has_just_handed_a_message_on_ends_within_five_seconds(
    tmp_path: Path,
) -> None:
    with (
        a_crew(tmp_path, NOBODY, engine="sqlite") as crew,
        closing(CeleryJobs(crew.redis.url)) as jobs,
        crew.redis.client() as redis,
    ):
        worker = an_idle_worker(crew)
        process = of_the_pool(worker)
        os.kill(process, signal.SIGSTOP)
        jobs.put_canary(own_queue(crew))
        crew.wait_for(lambda: redis.hlen("unacked") == 1, "it has taken it")
        time.sleep(1)  # It hands it on.
        worker.popen.terminate()
        # It has forgotten what it handed on, and then hears no commands any more.
        crew.wait_for(lambda: redis.pubsub_numpat() == 0, "it stops")

        os.kill(process, signal.SIGCONT)
        began = time.monotonic()
        code = worker.popen.wait(60)
        took_s = time.monotonic() - began

        print(f"ended after {took_s:.1f} s")
        assert code == 0, worker.log
        assert took_s < SOON_S, worker.log


def an_idle_worker(crew: Crew) -> Process:
    """One whose first message to itself is answered."""
    worker = crew.single_worker()
    crew.wait_for(lambda: worker.has_begun(1), "it waits for work")
    with crew.redis.client() as redis:
        crew.wait_for(
            lambda: not redis.exists("unacked", own_queue(crew)), "it is idle"
        )
    return worker


def own_queue(crew: Crew) -> str:
    """The one that only the one worker takes from."""
    with crew.redis.client() as redis:
        (bound,) = redis.keys("_kombu.binding.canary.*")
    return str(bound).removeprefix("_kombu.binding.")


def of_the_pool(worker: Process) -> int:
    """The one process of its pool."""
    (node,) = children(worker.popen.pid)
    (process,) = children(node)
    return process


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in found.split()]
