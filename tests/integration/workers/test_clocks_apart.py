"""F33: two days ahead, two days behind: what counts is the database's clock."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import select

from support.generated_content import generated_content
from support.moved_clock import MovedClock
from support.worker_crew import Crew, a_crew
from weighbridge.demo.http.server import RunningDemo
from weighbridge.store.models.types import Moment, metadata

DAYS: Final = 2 * 86_400
MANY: Final = 60
_SAID_BY_OTHERS: Final = frozenset({"created_at", "pushed_at", "newest_at"})
"""What a registry says, not a clock of ours."""


@pytest.mark.long  # 24 s; the soak moves clocks, too
def test_workers_whose_clocks_are_days_apart_keep_the_databases_time(
    tmp_path: Path,
) -> None:
    running = RunningDemo(generated_content(repositories=MANY, tags=2))
    began = datetime.now(UTC)
    try:
        with a_crew(tmp_path, running.url, interval="1h") as crew:
            ahead, behind = (MovedClock(tmp_path / name) for name in ("a.clock", "b.c"))
            ahead.move(DAYS)
            behind.move(-DAYS)
            workers = [
                crew.start("worker", "--concurrency", "1", environment=c.environment)
                for c in (ahead, behind)
            ]
            crew.wait_for(lambda: all(w.has_begun(2) for w in workers), "they wait")
            crew.quick_scheduler()
            crew.wait_for(lambda: crew.is_through(MANY), "everything is looked at")
            ahead.move(0)
            behind.move(0)

            codes = [worker.stop() for worker in workers]

            assert codes == [0, 0], crew.logs
            # That their clocks were moved at all is seen by what they print.
            for worker, days in zip(workers, (2, -2), strict=True):
                moved = (began + timedelta(days=days)).date().isoformat()
                assert f'"time": "{moved}T' in worker.log
            assert moments_outside(crew, began, datetime.now(UTC)) == []
    finally:
        running.close()


@pytest.mark.long  # 32 s; it waits for a scheduler
def test_a_scheduler_goes_on_when_its_clock_is_put_back(tmp_path: Path) -> None:
    clock = MovedClock(tmp_path / "scheduler.clock")
    with (
        a_crew(tmp_path, "http://127.0.0.1:1", engine="sqlite") as crew,
        crew.redis.client() as redis,
    ):
        crew.start("scheduler", environment=clock.environment)
        crew.wait_for(lambda: redis.llen("notify") > 0, "it has enqueued")

        clock.move(-DAYS)
        time.sleep(2)  # It looks at that file once in a second.
        redis.flushall()

        crew.wait_for(lambda: redis.llen("notify") == 3, "it enqueues all again")


def moments_outside(crew: Crew, began: datetime, ended: datetime) -> list[str]:
    """Columns with a time that no clock of the database's has shown, or will show
    within a day."""
    found = []
    with crew.database.read() as connection:
        for table in metadata.tables.values():
            for column in table.c:
                if (
                    not isinstance(column.type, Moment)
                    or column.name in _SAID_BY_OTHERS
                ):
                    continue
                for (moment,) in connection.execute(select(column).distinct()):
                    if moment is not None and not (
                        began - timedelta(minutes=1)
                        <= moment
                        <= ended + timedelta(days=1)
                    ):
                        found.append(f"{table.name}.{column.name}: {moment}")
    return found
