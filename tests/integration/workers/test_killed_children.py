"""A process of a worker's pool that is killed gives its repository back soon."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import update

from support.generated_content import generated_content
from support.worker_crew import Crew, a_crew
from weighbridge.demo.http.server import RunningDemo
from weighbridge.jobs.redis.over_celery import CeleryJobs
from weighbridge.ports.job_names import CRAWL
from weighbridge.store.models import repositories

SLOW: Final = {"requests_per_second": 2.0}
WITHIN_S: Final = 60.0


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    """Two workers over one repository that takes a minute, and a scheduler."""
    running = RunningDemo(generated_content(repositories=1, tags=120))
    try:
        with a_crew(tmp_path, running.url, limits=SLOW) as crew:
            workers = [crew.worker(), crew.worker()]
            crew.wait_for(lambda: all(w.has_begun(2) for w in workers), "all wait")
            crew.start("scheduler")
            yield crew
    finally:
        running.close()


def in_hand(crew: Crew) -> tuple[int, int]:
    """The process that has the repository in its hands, and its fence."""
    crew.wait_for(lambda: _row(crew).get("lease_owner") is not None, "it is crawled")
    row = _row(crew)
    return int(str(row["lease_owner"]).split(".")[1]), int(str(row["fence"]))


def _row(crew: Crew) -> dict[str, object]:
    return next((dict(row) for row in crew.repositories().values()), {})


def test_f14_what_a_killed_process_had_in_hand_is_soon_in_anothers(crew: Crew) -> None:
    child, fence = in_hand(crew)

    os.kill(child, signal.SIGKILL)
    took_s = crew.wait_for(
        lambda: int(str(_row(crew)["fence"])) > fence, "another has it", WITHIN_S
    )

    assert in_hand(crew)[0] != child
    print(f"in another process's hands after {took_s:.1f} s")


@pytest.mark.long
def test_f14_at_worst_it_takes_less_than_a_minute(crew: Crew) -> None:
    """As if on another machine, where nobody knows that the process has ended, and its
    message lost with it, a moment after it was sent."""
    child, fence = in_hand(crew)
    with crew.database.write() as connection:
        connection.execute(update(repositories).values(lease_owner="elsewhere:1.7.1/x"))

    os.kill(child, signal.SIGKILL)
    jobs = CeleryJobs(crew.redis.url)
    jobs.put(CRAWL, f"near/{_row(crew)['name']}")
    jobs.close()
    with crew.redis.client() as client:
        client.delete("crawl", "unacked", "unacked_index")
    took_s = crew.wait_for(
        lambda: int(str(_row(crew)["fence"])) > fence, "another has it", WITHIN_S
    )

    assert took_s > 5, "it was not as if on another machine"
    print(f"in another process's hands after {took_s:.1f} s")


def test_what_ends_of_a_worker_is_started_again(tmp_path: Path) -> None:
    running = RunningDemo(generated_content(repositories=1, tags=1))
    try:
        with a_crew(tmp_path, running.url, engine="sqlite") as crew:
            worker = crew.single_worker()
            crew.wait_for(lambda: worker.has_begun(1), "it is ready")
            pid = worker.popen.pid
            nodes = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()

            for node in nodes:
                os.kill(int(node), signal.SIGKILL)
            crew.wait_for(lambda: worker.has_begun(2), "it is ready again", 30.0)
            crew.enqueue_tick()

            crew.wait_for(lambda: crew.is_through(1), "it works")
            assert '"exit_code": 137' in worker.log
            assert worker.stop() == 0
    finally:
        running.close()


@pytest.mark.long
def test_f21_a_worker_ends_in_time_while_redis_is_frozen(tmp_path: Path) -> None:
    running = RunningDemo(generated_content(repositories=1, tags=1))
    try:
        with a_crew(tmp_path, running.url, engine="sqlite") as crew:
            worker = crew.worker()
            crew.wait_for(lambda: worker.has_begun(2), "both are ready")
            crew.redis.freeze()

            assert worker.stop(within_s=40) == 0
    finally:
        running.close()
