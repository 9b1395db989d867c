"""Workers over PostgreSQL and Redis that crawl a registry again and again."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import func, select, update

from support.process_group import group_cpu_s
from support.redis_server import RedisServer
from support.worker_crew import Crew, Process
from weighbridge.ports.job_names import QUEUES
from weighbridge.store.models import blob_changes, crawls, jobs, repositories
from weighbridge.store.schema import upgrade
from weighbridge.store.session import open_database

_TOGETHER_S: Final = 900.0
_PAST: Final = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Workers:
    """They wait for jobs."""

    crew: Crew
    processes: Sequence[Process]

    @property
    def cpu_s(self) -> float:
        """What they have used so far, together."""
        return sum(group_cpu_s(process.popen.pid) for process in self.processes)

    def crawl(self, expected: int) -> tuple[float, float]:
        """Crawl so many repositories, all of which are due: seconds from the first to
        the last, and the workers' CPU seconds."""
        since = self._make_due()
        used_s = self.cpu_s
        scheduler = self.crew.quick_scheduler()
        try:
            self.crew.wait_for(
                lambda: self._is_through(expected, since), "all crawled", _TOGETHER_S
            )
        finally:
            scheduler.stop()
        return self._seconds(since), self.cpu_s - used_s

    def _make_due(self) -> datetime:
        with self.crew.database.write() as connection:
            connection.execute(update(repositories).values(due_at=_PAST))
            connection.execute(update(jobs).values(due_at=_PAST))
        return datetime.now(UTC)

    def _is_through(self, expected: int, since: datetime) -> bool:
        """Nothing that costs much: it is asked again and again."""
        with self.crew.database.read() as connection:
            seen = connection.execute(
                select(func.count()).where(
                    repositories.c.last_crawl_at >= since,
                    repositories.c.lease_until.is_(None),
                )
            ).scalar_one()
            if seen < expected:
                return False
            left = select(blob_changes.c.id).limit(1)
            return connection.execute(left).first() is None

    def _seconds(self, since: datetime) -> float:
        with self.crew.database.read() as connection:
            first, last = connection.execute(
                select(
                    func.min(crawls.c.started_at), func.max(crawls.c.ended_at)
                ).where(crawls.c.started_at >= since)
            ).one()
        return float((last - first).total_seconds())


@contextmanager
def workers(
    folder: Path, redis: RedisServer, url: str, config: Path, count: int = 1
) -> Iterator[Workers]:
    """Until the block ends. They take everything but layers to measure, which these
    registries do not have."""
    database = open_database(url)
    queues = ",".join(queue for queue in QUEUES if queue != "measure")
    try:
        upgrade(database)
        crew = Crew(folder, redis, url, database, config)
        try:
            begun = [
                crew.start("worker", "--queues", queues, "--concurrency", "1")
                for _ in range(count)
            ]
            crew.wait_for(lambda: all(p.has_begun(1) for p in begun), "the workers")
            yield Workers(crew, begun)
        finally:
            for process in crew.processes:
                process.kill()
    finally:
        database.close()
