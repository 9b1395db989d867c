"""The engine where one process does all: a crawl that is asked for now, or a thread of
its own with a scheduler.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from weighbridge.bootstrap.databases import ready_database
from weighbridge.bootstrap.engine.assembly import Work, an_engine
from weighbridge.bootstrap.engine.delivery_parts import Delivering, notice_planning
from weighbridge.bootstrap.registries.kept_clients import KeptClients
from weighbridge.bootstrap.registries.sites import configured_targets
from weighbridge.bootstrap.registries.targets import (
    PLAIN,
    AddressAccess,
    Target,
    find_targets,
)
from weighbridge.config import Settings
from weighbridge.domain.policy.policy import NO_POLICIES, PolicySet
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.engine.crawl_requests.crawl_report import CrawlReport, RequestRecorder
from weighbridge.engine.crawl_requests.requests import crawl_now
from weighbridge.engine.judge.judged_batch import Judges
from weighbridge.engine.schedule.tick_job import show_waiting
from weighbridge.errors import StoreError
from weighbridge.jobs.in_process.job_pool import Handler, InlineJobs, JobPool, Scheduler
from weighbridge.ports.job_names import DELIVER, SETTLE, TICK
from weighbridge.ports.protocols import JobQueue
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

Clock = Callable[[], datetime]
NO_JUDGES = Judges(lambda: NO_POLICIES, is_silent=True)
"""Nothing is judged, and nobody is notified."""


def utc_now() -> datetime:
    """The clock of everything that is not a test or a demo."""
    return datetime.now(UTC)


def crawl(
    settings: Settings,
    targets: Sequence[str],
    *,
    measure: bool,
    progress: Progress,
    access: AddressAccess = PLAIN,
    docker_config: Path | None = None,
    clock: Clock = utc_now,
    judges: Judges = NO_JUDGES,
) -> CrawlReport:
    """One crawl of every target now, kept in the configured database."""
    chosen = find_targets(settings, targets, access)
    telemetry = Telemetry()
    with ready_database(settings) as database:
        return asyncio.run(
            crawl_targets(
                settings,
                chosen,
                database,
                telemetry,
                progress,
                measure=measure,
                docker_config=docker_config,
                clock=clock,
                judges=judges,
            )
        )


async def crawl_targets(
    settings: Settings,
    targets: Sequence[Target],
    database: Database,
    telemetry: Telemetry,
    progress: Progress,
    *,
    measure: bool = True,
    docker_config: Path | None = None,
    clock: Clock = utc_now,
    judges: Judges = NO_JUDGES,
) -> CrawlReport:
    """The same on a running loop, with the parts given. One registry after the
    other; a failure stays its registry's own."""
    began = time.monotonic()
    recorder, pool, done = RequestRecorder(), JobPool(), []
    work = Work(
        targets=targets,
        judges=judges,
        clients=KeptClients(settings, database, telemetry, docker_config=docker_config),
        has_others=False,
        schedules=False,
        progress=progress,
        watcher=recorder,
    )
    async with an_engine(settings, database, telemetry, pool, clock, work) as running:
        pool.start(running.engine.handlers)
        try:
            for target in targets:
                site = running.sites.sites[target.name]
                done.append(
                    await crawl_now(
                        running.parts, recorder, site, target.only, measure=measure
                    )
                )
        finally:
            await pool.aclose()
    return CrawlReport(tuple(done), time.monotonic() - began)


class Embedded:
    """Crawls every configured registry when it is due, notifies people of what was
    found, and prunes once a day, until closed.

    policies: those in force; where none are given nothing is judged
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        telemetry: Telemetry,
        *,
        clock: Callable[[], datetime] = utc_now,
        policies: Callable[[], PolicySet] = lambda: NO_POLICIES,
    ) -> None:
        self._settings = settings
        self._database = database
        self._telemetry = telemetry
        self._clock = clock
        self._judges = Judges(policies, notice_planning(settings))
        self._jobs = InlineJobs(self._working)
        self._scheduler = Scheduler(self._tick)

    @property
    def jobs(self) -> JobQueue:
        """Who works in this process; whoever hears of a push asks here for the job."""
        return self._jobs

    def start(self) -> None:
        """Begin to look for what is due; returns at once."""
        self._jobs.start()
        self._scheduler.start()

    def close(self) -> None:
        """Give back what is being crawled; what was stored stays."""
        self._scheduler.close()
        self._jobs.close()

    def _tick(self) -> None:
        self._telemetry.scheduler_last_tick_timestamp.set(self._clock().timestamp())
        self._jobs.put(TICK, "")
        # What is due by time alone: the rest of a group, and what failed before.
        self._jobs.put(DELIVER, "", first=True)
        if not self._database.settles_at_once:
            self._jobs.put(SETTLE, "")
        # Without a database there is nothing to show; the next tick tries again.
        with suppress(StoreError):
            show_waiting(self._database, self._telemetry, self._clock())

    @asynccontextmanager
    async def _working(self, jobs: JobQueue) -> AsyncIterator[Mapping[str, Handler]]:
        settings, database, telemetry = self._settings, self._database, self._telemetry
        work = Work(
            targets=configured_targets(settings),
            judges=self._judges,
            clients=KeptClients(settings, database, telemetry),
            has_others=False,
            delivering=Delivering(settings, database, telemetry, self._clock),
        )
        async with an_engine(
            settings, database, telemetry, jobs, self._clock, work
        ) as running:
            yield running.engine.handlers
