"""Everything in one process: the engine on a thread of its own, and a scheduler."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime

from weighbridge.bootstrap.engine.assembly import Work, an_engine
from weighbridge.bootstrap.engine.crawl_registries import utc_now
from weighbridge.bootstrap.engine.delivery_parts import Delivering, notice_planning
from weighbridge.bootstrap.registries.kept_clients import KeptClients
from weighbridge.bootstrap.registries.sites import configured_targets
from weighbridge.config import Settings
from weighbridge.domain.policy.policy import NO_POLICIES, PolicySet
from weighbridge.engine.judge.criteria import Judges
from weighbridge.engine.schedule.waiting_work import show_waiting
from weighbridge.errors import StoreError
from weighbridge.jobs.in_process.job_pool import Handler, InlineJobs, Scheduler
from weighbridge.ports.job_names import DELIVER, SETTLE, TICK
from weighbridge.ports.protocols import JobQueue
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry


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
