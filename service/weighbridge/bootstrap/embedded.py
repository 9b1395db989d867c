"""Everything in one process: the scheduler rings, the jobs' thread crawls."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from weighbridge.audit.crawl_report import RegistryCrawl
from weighbridge.audit.progress import Progress
from weighbridge.bootstrap.crawling import crawl_targets, utc_now
from weighbridge.bootstrap.due_times import DueTimes
from weighbridge.bootstrap.embedded_pushes import EmbeddedPushes
from weighbridge.bootstrap.gates import Gates
from weighbridge.bootstrap.judges import Judges
from weighbridge.bootstrap.pruning import Pruning
from weighbridge.bootstrap.targets import Target
from weighbridge.bootstrap.telling import Delivering, teller
from weighbridge.config import RegistrySettings, Settings
from weighbridge.domain.policy_set import NO_POLICIES, PolicySet
from weighbridge.errors import StoreError, WeighbridgeError
from weighbridge.jobs.inline import InlineJobs
from weighbridge.jobs.names import CRAWL, DELIVER, PRUNE, PUSH, SETTLE
from weighbridge.jobs.scheduler import Scheduler
from weighbridge.ports import JobQueue
from weighbridge.store.adoption import adopt_names
from weighbridge.store.ahead import is_past
from weighbridge.store.ledger.settler import settle_all
from weighbridge.store.registries import mark_unconfigured
from weighbridge.store.repositories import oldest_looks
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

RETRY_S: Final = 60
"""A registry that could not be crawled is tried again so soon, at most."""


class Embedded:
    """Crawls every configured registry when it is due, tells what was found, and
    prunes once a day, until closed.

    When a registry is due is told by the database at the start (by the repository
    that was not looked at for longest, since a crawl may have been stopped half-way)
    and by the end of each crawl from then on.

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
        self._log = structlog.get_logger("weighbridge.crawl")
        self._due_times = DueTimes()
        self._not_marked = ""
        self._judges = Judges(policies, teller(settings))
        self._pruning = Pruning(database, settings.history.retention, clock)
        self._delivering = Delivering(settings, database, telemetry, clock)
        self._gates = Gates()
        self._pushes = EmbeddedPushes(
            settings, database, telemetry, clock, self._judges.of, self._gates
        )
        self._jobs = InlineJobs(
            {
                PUSH: self._pushes.run,
                CRAWL: self._crawl,
                DELIVER: self._delivering.run,
                SETTLE: self._settle,
                PRUNE: self._pruning.run,
            },
            at_end=self._close_what_jobs_opened,
        )
        self._pushes.begin(self._jobs)
        self._scheduler = Scheduler(self._tick)

    @property
    def jobs(self) -> JobQueue:
        """Who works in this process; whoever hears of a push asks here for a look."""
        return self._jobs

    def start(self) -> None:
        """Begin to ring and to crawl; returns at once."""
        self._mark_unconfigured()
        self._read_due()
        self._jobs.start()
        self._scheduler.start()

    def close(self) -> None:
        """Stop ringing, cancel the crawl that runs. What it kept stays kept."""
        self._scheduler.close()
        self._pruning.stop()
        self._jobs.close()

    def _mark_unconfigured(self) -> None:
        """A database that takes no writes now keeps nobody from reading: the next
        tick tries again. Told once, not at each tick."""
        try:
            with self._database.write() as connection:
                adopt_names(connection, self._settings.urls)
                mark_unconfigured(connection, self._settings.names, self._clock())
        except StoreError as exc:
            if exc.code != self._not_marked:
                self._log.warning(
                    "which registries are configured could not be noted",
                    code=exc.code,
                    why=exc.message,
                )
            self._not_marked = exc.code
        else:
            self._not_marked = ""

    def _read_due(self) -> None:
        now = self._clock()
        with self._database.read() as connection:
            oldest = oldest_looks(connection)
        for registry in self._settings.registries:
            last = oldest.get(registry.name)
            interval = timedelta(seconds=self._settings.interval_of(registry))
            if last is None or not is_past(last, now):
                last = now - interval  # never, or by a clock that was ahead
            self._due_times.put(registry.name, last, interval)

    def _tick(self) -> None:
        now = self._clock()
        self._telemetry.scheduler_last_tick_timestamp.set(now.timestamp())
        for name in self._due_times.due(now):
            self._jobs.put(CRAWL, name)
        self._pushes.tick()
        # What is due by time alone: the rest of a group, and what failed before.
        self._jobs.put(DELIVER, "", first=True)
        if self._pruning.is_due(now):
            self._jobs.put(PRUNE, "")
        if self._not_marked:
            self._mark_unconfigured()

    async def _close_what_jobs_opened(self) -> None:
        await self._pushes.aclose()
        await self._delivering.aclose()

    async def _settle(self, _: str) -> None:
        await asyncio.to_thread(settle_all, self._database)

    async def _crawl(self, argument: str) -> None:
        """Of a registry, or of one repository after a push that does not say enough."""
        name, slash, _ = argument.partition("/")
        if slash:
            await self._pushes.look_at_all(argument)
            return
        configured = self._settings.find_registry(name)
        if configured is not None:
            await self._crawl_all(configured)

    async def _crawl_all(self, configured: RegistrySettings) -> None:
        """Whatever it ends with, the registry is due again later."""
        name = configured.name
        interval_s = self._settings.interval_of(configured)
        wait_s = min(RETRY_S, interval_s)
        try:
            report = await crawl_targets(
                self._settings,
                [Target(configured.name, configured.url, configured)],
                self._database,
                self._telemetry,
                Progress(),
                clock=self._clock,
                leaves_waiting=True,
                desk=self._pushes.desk(configured),
                judges=self._judges,
                gates=self._gates,
            )
            (done,) = report.registries
            self._tell(done, report.seconds)
            # A process that was killed blocks its repositories until its leases end.
            is_blocked = any(fault.code == "busy" for fault in done.faults)
            if done.state != "unreachable" and not is_blocked:
                # What was answered once is answered the same a minute later.
                wait_s = interval_s
        except WeighbridgeError as exc:
            self._log.error(
                "crawl failed", registry=name, code=exc.code, why=exc.message
            )
        finally:
            self._due_times.put(name, self._clock(), timedelta(seconds=wait_s))

    def _tell(self, done: RegistryCrawl, seconds: float) -> None:
        if done.state != "ok":
            self._log.warning(
                "the registry could not be read to its end; what was known is kept",
                registry=done.name,
                state=done.state,
                reason=done.reason or None,
                why=next((f.message for f in done.faults if f.tag is None), None),
            )
        self._log.info(
            "crawl ended",
            registry=done.name,
            state=done.state,
            reason=done.reason or None,
            repositories=done.repositories,
            tags=done.tags,
            requests=done.requests,
            bytes_read=done.bytes_read,
            seconds=round(seconds, 2),
            not_weighed=len(done.faults),
        )
