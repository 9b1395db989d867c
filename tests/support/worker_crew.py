"""Real workers, schedulers and services as processes of their own, over one database.

Each is started by its command, in a session of its own, and ended by its handle.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from sqlalchemy import select

from support.database import Engine, a_database_url
from support.redis_server import RedisServer, a_redis
from support.wait import PATIENCE_S
from weighbridge.jobs.redis.over_celery import CeleryJobs
from weighbridge.ports.job_names import QUEUES, TICK
from weighbridge.store.models import (
    blob_changes,
    jobs,
    repositories,
    repository_summaries,
)
from weighbridge.store.schema import upgrade
from weighbridge.store.session import Database, open_database

NO_MORE: Final[Mapping[str, str]] = MappingProxyType({})
_QUICK_BEAT: Final = """
from datetime import timedelta
from weighbridge_workers.app import app
for entry in app.conf.beat_schedule.values():
    entry["schedule"].run_every = timedelta(seconds=2)
app.Beat(quiet=True).run()
"""


@dataclass(frozen=True, slots=True)
class Process:
    """One of them, with what it printed."""

    name: str
    popen: "subprocess.Popen[bytes]"
    printed: Path

    @property
    def log(self) -> str:
        return self.printed.read_text(errors="replace")

    def has_begun(self, nodes: int) -> bool:
        """Whether so many workers of its wait for jobs."""
        return self.log.count(" ready.") >= nodes

    def kill(self) -> None:
        """SIGKILL, with all that it has started; as when a machine dies."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()

    def stop(self, within_s: float = PATIENCE_S) -> int:
        """SIGTERM; its exit code."""
        self.popen.terminate()
        return self.popen.wait(within_s)


@dataclass(slots=True)
class Crew:
    """A database, a Redis, a configuration, and whoever works over them."""

    folder: Path
    redis: RedisServer
    database_url: str
    database: Database
    config: Path
    processes: list[Process] = field(default_factory=list)

    def start(
        self, *arguments: str, environment: Mapping[str, str] = NO_MORE
    ) -> Process:
        """`weighbridge ...` in the background, with more in its environment."""
        command = ("-m", "weighbridge", *arguments)
        return self._start(arguments[0], *command, environment=environment)

    def quick_scheduler(self) -> Process:
        """`weighbridge scheduler` with a shorter beat, so that nobody waits for it."""
        return self._start("scheduler", "-c", _QUICK_BEAT)

    def _start(
        self, what: str, *arguments: str, environment: Mapping[str, str] = NO_MORE
    ) -> Process:
        name = f"{what}-{len(self.processes)}"
        printed = self.folder / f"{name}.log"
        with printed.open("wb") as output:
            popen = subprocess.Popen(
                [sys.executable, *arguments],
                env={
                    **os.environ,
                    "WEIGHBRIDGE_CONFIG": str(self.config),
                    **environment,
                },
                cwd=self.folder,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        process = Process(name, popen, printed)
        self.processes.append(process)
        return process

    def worker(self) -> Process:
        """As it is usually started, with a process more for what is urgent."""
        return self.start("worker", "--concurrency", "1")

    def single_worker(self) -> Process:
        """One process that takes everything, and the one that started it."""
        queues = ",".join(QUEUES)
        return self.start("worker", "--queues", queues, "--concurrency", "1")

    def enqueue_tick(self) -> None:
        """What a scheduler does, without waiting for its beat."""
        # What is enqueued while Redis is found away is lost, as it should be.
        queue = CeleryJobs(self.redis.url, give_up_s=PATIENCE_S)
        try:
            queue.put(TICK, "")
        finally:
            queue.close()

    def repositories(self) -> dict[str, Mapping[str, object]]:
        """The rows of all repositories, by name."""
        with self.database.read() as connection:
            rows = connection.execute(select(repositories)).mappings().all()
        return {str(row["name"]): dict(row) for row in rows}

    def tags_seen(self) -> int:
        """By all crawls so far, those under way too, as far as that is stored."""
        with self.database.read() as connection:
            return int(
                connection.exec_driver_sql(
                    "SELECT coalesce(sum(tags_seen), 0) FROM crawls"
                ).scalar_one()
            )

    def is_through(self, expected: int) -> bool:
        """Whether so many repositories were looked at, measured and settled."""
        rows = self.repositories().values()
        if len(rows) < expected or any(
            row["last_crawl_at"] is None or row["lease_until"] for row in rows
        ):
            return False
        with self.database.read() as connection:
            left = connection.execute(
                select(repository_summaries.c.repository_id).where(
                    repository_summaries.c.is_unmeasured
                )
            ).first()
            unsettled = connection.execute(select(blob_changes.c.id)).first()
            busy = connection.execute(
                select(jobs.c.job).where(jobs.c.lease_until.is_not(None))
            ).first()
        return not (left or unsettled or busy)

    def wait_for(
        self, condition: Callable[[], bool], what: str, within_s: float = PATIENCE_S
    ) -> float:
        """Seconds until it was so; fails with everybody's logs if it never was."""
        began = time.monotonic()
        while not condition():
            waited = time.monotonic() - began
            assert waited < within_s, f"not within {within_s} s: {what}\n{self.logs}"
            time.sleep(0.05)
        return time.monotonic() - began

    @property
    def logs(self) -> str:
        """The end of what each of them printed."""
        return "\n".join(f"--- {p.name}\n{p.log[-4000:]}" for p in self.processes)


def migrate(url: str) -> None:
    """Bring an empty database to today's schema."""
    database = open_database(url)
    upgrade(database)
    database.close()


@contextmanager
def a_crew(
    folder: Path,
    registry_url: str,
    *,
    engine: Engine = "postgresql",
    a_server: Callable[[], AbstractContextManager[RedisServer]] = a_redis,
    pooled: Callable[[str], AbstractContextManager[str]] = nullcontext,
    database_url: str | None = None,
    **registry: object,
) -> Iterator[Crew]:
    """A crew without members, over a registry called `near`; all end with the block.

    pooled:   what stands between workers and the database, by its URL
    database_url: an empty one of the test's own; None for one of `engine`
    registry: further keys of the registry's configuration
    """
    with ExitStack() as stack:
        redis = stack.enter_context(a_server())
        if database_url is None:
            url = stack.enter_context(a_database_url(folder, engine))
        else:
            url = database_url
            migrate(url)
        pooled_url = stack.enter_context(pooled(url))
        config = folder / "weighbridge.yaml"
        # JSON is YAML.
        config.write_text(
            json.dumps(
                {
                    "database_url": pooled_url,
                    "redis_url": redis.url.reveal(),
                    "registries": [{"name": "near", "url": registry_url, **registry}],
                }
            )
        )
        database = open_database(url)
        stack.callback(database.close)
        crew = Crew(folder, redis, url, database, config)
        try:
            yield crew
        finally:
            for process in crew.processes:
                process.kill()
