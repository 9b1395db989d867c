"""Workers whose PostgreSQL stands still: they wait, go on, and end when told."""

import time
from pathlib import Path

from support.postgres import a_cluster
from support.wait import PATIENCE_S
from support.worker_crew import a_crew
from weighbridge.demo.generated import generated_content
from weighbridge.demo.server import start_in_thread

SLOW = {"requests_per_second": 10.0}
STOPPED_S = 40.0


def test_f41_a_worker_ends_in_time_though_its_database_is_frozen(
    tmp_path: Path,
) -> None:
    running = start_in_thread(generated_content(repositories=3, tags=25))
    try:
        with (
            a_cluster() as cluster,
            a_crew(tmp_path, running.url, cluster=cluster, limits=SLOW) as crew,
        ):
            worker = crew.single_worker()
            crew.wait_for(lambda: worker.has_begun(1), "it waits for work")
            crew.ring()
            crew.wait_for(
                lambda: any(r["lease_owner"] for r in crew.repositories().values()),
                "it is at work",
            )
            with cluster.frozen():
                time.sleep(2)
                began = time.monotonic()

                worker.stop(3 * STOPPED_S)
                took_s = time.monotonic() - began

            print(f"ended after {took_s:.1f} s with {worker.popen.returncode}", worker.log)
            assert took_s < STOPPED_S, worker.log
            assert worker.popen.returncode == 0, worker.log
            crew.single_worker()
            crew.ring()
            crew.wait_for(lambda: crew.is_through(3), "another goes on", 2 * PATIENCE_S)
    finally:
        running.close()
