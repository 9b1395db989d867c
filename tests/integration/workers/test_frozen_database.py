"""Workers whose PostgreSQL stands still: they wait, go on, and end when told."""

import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NoReturn

import pytest

from support.database_faults import assert_sound
from support.far_server import far_server, run_beside
from support.generated_content import generated_content
from support.postgres import Cluster, a_cluster
from support.redis_server import a_redis
from support.wait import PATIENCE_S, wait_in_thread
from support.worker_crew import Crew, a_crew
from weighbridge.bootstrap.distributed.service import WorkerWatch
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.demo.http.server import RunningDemo
from weighbridge.errors import StoreError
from weighbridge.jobs.redis.worker_register import WorkerRegister
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

SLOW = {"requests_per_second": 10.0}
STOPPED_S = 40.0
CUT_S = 75.0


def is_at_work(crew: Crew) -> bool:
    return any(row["lease_owner"] for row in crew.repositories().values())


def a_slow_crew(
    folder: Path, registry_url: str, cluster: Cluster
) -> AbstractContextManager[Crew]:
    url = cluster.url(cluster.create())
    return a_crew(folder, registry_url, database_url=url, limits=SLOW)


@pytest.mark.long  # 80 s of waiting; test_f41_frozen_service has it for `up`
def test_f41_a_worker_ends_in_time_though_its_database_is_frozen(
    tmp_path: Path,
) -> None:
    running = RunningDemo(generated_content(repositories=3, tags=25))
    try:
        with (
            a_cluster() as cluster,
            a_crew(
                tmp_path,
                running.url,
                database_url=cluster.url(cluster.create()),
                limits=SLOW,
            ) as crew,
        ):
            worker = crew.single_worker()
            crew.wait_for(lambda: worker.has_begun(1), "it waits for work")
            crew.enqueue_tick()
            crew.wait_for(lambda: is_at_work(crew), "it is at work")
            with cluster.frozen():
                time.sleep(2)
                began = time.monotonic()

                worker.stop(3 * STOPPED_S)
                took_s = time.monotonic() - began

            print(f"ended after {took_s:.1f} s with {worker.popen.returncode}")
            assert took_s < STOPPED_S, worker.log
            assert worker.popen.returncode == 0, worker.log
            crew.single_worker()
            crew.enqueue_tick()
            crew.wait_for(lambda: crew.is_through(3), "another goes on", 2 * PATIENCE_S)
    finally:
        running.close()


class Hanging(Database):
    """Nothing that is asked comes back before the test ends."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def read(self) -> NoReturn:
        self.ended.wait()
        raise StoreError("away", code="database_unavailable")


def test_f41_workers_are_counted_though_the_database_hangs() -> None:
    database, telemetry = Hanging(), Telemetry()
    with a_redis() as redis:
        roll = WorkerRegister(redis.url)
        roll.note("some@vm.1")
        settings = load_settings(
            None, {"WEIGHBRIDGE_REDIS_URL": redis.url.reveal()}, KINDS
        )
        watch = WorkerWatch(settings, database, telemetry)
        watch.start()
        try:
            wait_in_thread(
                lambda: telemetry.registry.get_sample_value("weighbridge_workers") == 1,
                "the worker is counted",
            )
        finally:
            database.ended.set()
            watch.close()
            roll.close()


@pytest.mark.long
@pytest.mark.netns
@pytest.mark.timeout(600)
def test_f41_workers_go_on_by_themselves_after_the_way_to_their_database_was_cut(
    tmp_path: Path,
) -> None:
    """Longer than a call waits; Redis is there all the time."""

    def story() -> None:
        running = RunningDemo(generated_content(repositories=4, tags=60))
        try:
            with far_server() as far:
                url = far.url(far.cluster.create())
                with a_crew(
                    tmp_path, running.url, database_url=url, limits=SLOW
                ) as crew:
                    crew.single_worker()
                    crew.quick_scheduler()
                    crew.wait_for(lambda: is_at_work(crew), "it is at work")
                    with far.cable_pulled():
                        time.sleep(CUT_S)
                    crew.wait_for(
                        lambda: crew.is_through(4), "all is crawled", 4 * PATIENCE_S
                    )

                    assert_sound(url)
                    assert "invalid_database_url" not in crew.logs
        finally:
            running.close()

    run_beside(story)
