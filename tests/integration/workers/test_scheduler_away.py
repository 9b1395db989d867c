"""F31: for two hours nobody looked at what is due."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import func, select, update

from support.generated_content import generated_content
from support.worker_crew import Crew, a_crew
from weighbridge.demo.http.server import RunningDemo
from weighbridge.store.models import crawls, jobs, repositories

MANY: Final = 40
BEAT_S: Final = 2.0
"""See `quick_scheduler`."""
BEATS: Final = 4
AWAY: Final = timedelta(hours=2)


@pytest.mark.long  # 16 s; it waits for a scheduler
def test_f31_each_repository_is_crawled_once_when_the_scheduler_is_back(
    tmp_path: Path,
) -> None:
    running = RunningDemo(generated_content(repositories=MANY, tags=1))
    try:
        with a_crew(tmp_path, running.url, interval="15m") as crew:
            crew.worker()
            crew.enqueue_tick()
            crew.wait_for(lambda: crew.is_through(MANY), "everything is looked at")
            shift_due_times(crew, -AWAY)

            crew.quick_scheduler()
            crew.wait_for(
                lambda: crew.is_through(MANY) and crawls_made(crew) >= 2 * MANY,
                "everything is looked at again",
            )
            time.sleep(BEATS * BEAT_S)

            assert crawls_made(crew) == 2 * MANY
            assert min(due_times(crew)) > datetime.now(UTC)
    finally:
        running.close()


def shift_due_times(crew: Crew, by: timedelta) -> None:
    """As if so much time had passed."""
    with crew.database.write() as connection:
        for table in (repositories, jobs):
            keys = list(table.primary_key)
            for row in connection.execute(select(table)).mappings().all():
                this = [key == row[key] for key in keys]
                moved = update(table).where(*this).values(due_at=row["due_at"] + by)
                connection.execute(moved)


def due_times(crew: Crew) -> list[datetime]:
    with crew.database.read() as connection:
        return list(connection.execute(select(repositories.c.due_at)).scalars())


def crawls_made(crew: Crew) -> int:
    with crew.database.read() as connection:
        counted: int = connection.execute(
            select(func.count()).select_from(crawls)
        ).scalar_one()
    return counted
