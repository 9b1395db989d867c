"""Workers that are killed, stopped, or killed by what they look at."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from support.database_dump import assert_same, dump_of, dump_of_url
from support.generated_content import generated_content
from support.worker_crew import Crew, Process, a_crew
from weighbridge.bootstrap.engine.assembly import crawl
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import RegistrySettings, load_settings
from weighbridge.demo.http.server import RunningDemo
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.store.leases.claiming import STARTS

SLOW: Final = {"requests_per_second": 20.0}
"""So that a crawl takes some seconds, and ends in the middle."""
FASTER: Final = {"requests_per_second": 60.0}
"""More repositories than one process takes."""
SLOWER: Final = {"requests_per_second": 4.0}
"""So that it does not end while the test, or Redis, stands still for seconds."""


def clean_crawl(folder: Path, url: str) -> str:
    """The database of one process that saw the same registry."""
    alone = f"sqlite:///{folder / 'alone.db'}"
    settings = load_settings(None, {}, KINDS, database_url=alone).model_copy(
        update={"registries": (RegistrySettings(name="near", url=url),)}
    )
    crawl(settings, [], measure=True, progress=Progress())
    return alone


MANY = 240
"""One slice does not hold them all: the other worker has something to do, too."""


def is_at_work(crew: Crew, worker: Process) -> bool:
    """Whether a process of this worker holds a repository."""
    return any(
        _group_of(str(row["lease_owner"])) == worker.popen.pid
        for row in crew.repositories().values()
        if row["lease_owner"]
    )


def _group_of(owner: str) -> int:
    with suppress(ProcessLookupError):
        return os.getpgid(_pid_of(owner))
    return 0


def _pid_of(owner: str) -> int:
    """See `store.leases.validity`."""
    return int(owner.split(".")[1])


@pytest.mark.long  # 40 s; test_killed_children and test_stopped_workers have each
def test_f14_f17_killed_and_stopped_workers_lose_nothing(tmp_path: Path) -> None:
    running = RunningDemo(generated_content(repositories=MANY, tags=1))
    try:
        expected = dump_of_url(clean_crawl(tmp_path, running.url))
        with a_crew(tmp_path, running.url, limits=FASTER) as crew:
            killed, stopped = crew.single_worker(), crew.worker()
            crew.wait_for(
                lambda: killed.has_begun(1) and stopped.has_begun(2),
                "both wait for work",
            )
            crew.start("scheduler")

            def are_at_work() -> bool:
                # What was enqueued for whoever is free may reach the busy one.
                crew.enqueue_tick()
                return is_at_work(crew, killed) and is_at_work(crew, stopped)

            crew.wait_for(are_at_work, "both are at work")

            killed.kill()
            code = stopped.stop()
            crew.single_worker()
            crew.wait_for(lambda: crew.is_through(MANY), "everything is looked at")

            assert code == 0, crew.logs
            assert_same(expected, dump_of(crew.database))
            with crew.database.read() as connection:
                crawls = connection.exec_driver_sql(
                    "SELECT count(*) FROM crawls WHERE state = 'ok'"
                ).scalar_one()
            assert crawls == MANY
    finally:
        running.close()


def test_broker_005_a_repository_that_kills_its_process_is_parked(
    tmp_path: Path,
) -> None:
    poison = "load/r00001"
    running = RunningDemo(generated_content(repositories=3, tags=10))
    try:
        with a_crew(tmp_path, running.url, engine="sqlite", limits=SLOWER) as crew:
            worker = crew.single_worker()
            crew.enqueue_tick()
            starts = set()

            def is_parked() -> bool:
                row = crew.repositories().get(poison)
                if row is None:
                    return False
                if row["lease_owner"]:
                    starts.add(row["fence"])
                    with suppress(ProcessLookupError):
                        os.kill(_pid_of(str(row["lease_owner"])), signal.SIGKILL)
                crew.enqueue_tick()
                return row["state_reason"] == "poison"

            crew.wait_for(is_parked, "it is parked")

            def are_crawled() -> bool:
                # What the ended process had is free when its lease ends.
                crew.enqueue_tick()
                rows = crew.repositories().values()
                return sum(row["state"] == "ok" for row in rows) == 2

            crew.wait_for(are_crawled, "the others are crawled")

            row = crew.repositories()[poison]
            assert len(starts) == 3
            assert (row["state"], row["attempts"]) == ("error", 3)
            assert worker.popen.poll() is None
    finally:
        running.close()


@pytest.mark.long  # 40 s; test_claiming_repositories has the rule
def test_a_repository_of_which_each_start_stored_more_is_not_parked(
    tmp_path: Path,
) -> None:
    running = RunningDemo(generated_content(repositories=1, tags=60))
    try:
        expected = dump_of_url(clean_crawl(tmp_path, running.url))
        with a_crew(tmp_path, running.url, engine="sqlite", limits=SLOW) as crew:
            crew.single_worker()
            crew.enqueue_tick()
            seen = [0]

            def is_killed_enough() -> bool:
                for row in crew.repositories().values():
                    more = crew.tags_seen()
                    if row["lease_owner"] and more > seen[-1]:
                        seen.append(more)
                        with suppress(ProcessLookupError):
                            os.kill(_pid_of(str(row["lease_owner"])), signal.SIGKILL)
                crew.enqueue_tick()
                return len(seen) > STARTS

            crew.wait_for(is_killed_enough, "each start has stored more")
            crew.quick_scheduler()
            crew.wait_for(lambda: crew.is_through(1), "it is looked at")

            assert seen[-1] < 60
            assert_same(expected, dump_of(crew.database))
    finally:
        running.close()


@pytest.mark.long  # 16 s; test_broker_faults has it without a crawl
def test_f19_redis_that_goes_while_a_repository_is_looked_at_is_taken_up_again(
    tmp_path: Path,
) -> None:
    running = RunningDemo(generated_content(repositories=2, tags=20))
    try:
        with a_crew(tmp_path, running.url, engine="sqlite", limits=SLOW) as crew:
            worker = crew.single_worker()
            crew.enqueue_tick()
            crew.wait_for(lambda: is_at_work(crew, worker), "it is at work")
            crew.redis.stop()
            # It can be told to nobody that this one is done.
            crew.wait_for(lambda: not is_at_work(crew, worker), "one is looked at")
            time.sleep(1)

            crew.redis.start()
            crew.quick_scheduler()

            crew.wait_for(lambda: crew.is_through(2), "the other is looked at")
            assert worker.popen.poll() is None
    finally:
        running.close()
