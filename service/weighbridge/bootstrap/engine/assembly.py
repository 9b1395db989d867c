"""Puts the engine of one process together, out of real parts.

The outbox is filled by judging, and emptied by the job DELIVER. Where one process does
all, the engine serves a crawl that is asked for now, or has a thread of its own with a
scheduler.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import structlog
from msgspec import Struct, field

from weighbridge.bootstrap.databases import ready_database
from weighbridge.bootstrap.engine.channels import open_channels
from weighbridge.bootstrap.registries.sites import (
    KeptClients,
    SiteClients,
    configured_targets,
    site_of,
)
from weighbridge.bootstrap.registries.targets import (
    PLAIN,
    AddressAccess,
    Target,
    find_targets,
)
from weighbridge.config import Settings
from weighbridge.domain.message.grouping import NotificationEvent
from weighbridge.domain.policy.policy import NO_POLICIES, PolicySet
from weighbridge.engine.bases.seed_job import seed
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.engine.context.parts import LogWatcher, Parts, Site, Watcher
from weighbridge.engine.crawl_requests.crawl_report import (
    CrawlReport,
    Recorders,
    RegistryCrawl,
)
from weighbridge.engine.crawl_requests.requests import crawl_now
from weighbridge.engine.deliver.all_channels import Deliverers, Resending, SendContext
from weighbridge.engine.engine import Engine
from weighbridge.engine.judge.judged_batch import Judges, Tell
from weighbridge.engine.schedule.tick_job import Tick, show_waiting
from weighbridge.engine.tasks.lease_renewal import LEASE_S, Heartbeat, SharedJobs
from weighbridge.engine.writer.writer import Writer
from weighbridge.errors import StoreError, WeighbridgeError
from weighbridge.jobs.in_process.job_pool import Handler, InlineJobs, JobPool, Scheduler
from weighbridge.ports.job_names import BASES, DELIVER, SETTLE, TICK
from weighbridge.ports.protocols import JobQueue
from weighbridge.store.connection.deadlines import patiently
from weighbridge.store.leases.jobs import Job, note_done
from weighbridge.store.leases.validity import this_process
from weighbridge.store.maintenance.base_sweep import sweep_bases
from weighbridge.store.outbox.filling import put_notifications
from weighbridge.store.read_model.base_summaries import refresh_base_summaries
from weighbridge.store.session import Connection, Database
from weighbridge.telemetry import Telemetry


def notice_planning(settings: Settings) -> Tell:
    """Writes down who is to be told, in the transaction of who judges."""
    routes = settings.message_routes

    def tell(
        connection: Connection,
        violation_ids: Sequence[int],
        event: NotificationEvent,
        now: datetime,
    ) -> None:
        put_notifications(connection, violation_ids, event, routes, now)

    return tell


class Delivering:
    """The job DELIVER of one process, with a writer of its own: a message waits for no
    crawl, and no crawl for a message.

    clock: the database's, where several processes share it
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        telemetry: Telemetry,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._clock = clock
        self._writer = Writer(
            database, on_failure=lambda _: telemetry.db_write_errors.inc()
        )
        self._deliverers: Deliverers | None = None
        self._running: asyncio.Task[None] | None = None
        self._is_woken = False
        for channel in settings.channels:
            telemetry.begin_channel(channel.name)

    async def run(self, _: str) -> None:
        """Have everything told that is due; returns before it is."""
        if self._deliverers is None:
            self._deliverers = self._make()
        await self._deliverers.wake()

    def wake(self) -> None:
        """`run` beside whoever asks: what was just found waits for no queue. If that
        fails it is due still, and the next tick asks. Two hundred who ask at once have
        it done twice."""
        self._is_woken = True
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run_while_woken())
            self._running.add_done_callback(self._end_run)

    async def _run_while_woken(self) -> None:
        while self._is_woken:
            self._is_woken = False
            await self.run("")

    def _end_run(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (exc := task.exception()) is not None:
            code = exc.code if isinstance(exc, WeighbridgeError) else "bug"
            structlog.get_logger("weighbridge.notify").error(
                "messages wait for the next tick", code=code, why=str(exc)
            )

    async def aclose(self) -> None:
        """On the loop of `run`: let what is on its way arrive, for a moment."""
        if self._running is not None:
            await asyncio.wait((self._running,))
        if self._deliverers is not None:
            await self._deliverers.aclose()
        await asyncio.to_thread(self._writer.close)

    def _make(self) -> Deliverers:
        settings = self._settings
        sending = SendContext(
            writer=self._writer,
            clock=self._clock,
            owner=this_process(),
            telemetry=self._telemetry,
            external_url=settings.web.external_url,
        )
        channels = open_channels(settings)
        return Deliverers(
            sending,
            channels.notifiers.values(),
            [
                Resending(
                    sending,
                    alertmanager,
                    [r for r in settings.alert_routes if r.channel == name],
                )
                for name, channel in channels.alertmanagers.items()
                for alertmanager in channel.each
            ],
        )


def _nobody() -> None:
    """Stands in where nobody is to be notified."""


class Work(Struct, frozen=True):
    """What an engine does.

    targets:    the registries that it crawls
    judges:     what images are judged by
    clients:    of registries; closed with the engine
    has_others: whether other processes take its jobs, too
    delivering: has people notified; closed with the engine. None: nobody is
    schedules:  whether it looks for what is due, or only after what was asked for
    """

    targets: Iterable[Target]
    judges: Judges
    clients: KeptClients
    has_others: bool
    delivering: Delivering | None = None
    schedules: bool = True
    progress: Progress = field(default_factory=Progress)
    watcher: Watcher = field(default_factory=LogWatcher)


class RunningEngine(Struct, frozen=True):
    """An engine at work."""

    engine: Engine
    parts: Parts
    sites: Mapping[str, Site]


@asynccontextmanager
async def an_engine(
    settings: Settings,
    database: Database,
    telemetry: Telemetry,
    jobs: JobQueue,
    clock: Callable[[], datetime],
    work: Work,
) -> AsyncIterator[RunningEngine]:
    """An engine on the running loop, with one writer for all that it stores; closed at
    the end of the block.

    jobs: takes what follows from a job
    """
    targets = {target.name: target for target in work.targets}
    sites = {name: site_of(settings, target) for name, target in targets.items()}
    writer = Writer(database, on_failure=lambda _: telemetry.db_write_errors.inc())
    owner = this_process()
    shared = SharedJobs(writer, clock, owner=owner, lease_s=LEASE_S)
    delivering = work.delivering
    parts = Parts(
        database=database,
        writer=writer,
        telemetry=telemetry,
        sites=sites.get,
        clients=SiteClients(work.clients, targets),
        heartbeat=Heartbeat(writer, clock, also=shared.renew),
        shared=shared,
        jobs=jobs,
        judges=work.judges,
        deliver=_nobody if delivering is None else delivering.wake,
        clock=clock,
        owner=owner,
        lease_s=LEASE_S,
        retention=settings.history.retention,
        measures=work.schedules,
        progress=work.progress,
        watcher=work.watcher,
        has_others=work.has_others,
        in_part=settings.reclaim_choice.in_part,
    )
    tick = Tick(list(sites.values()), database, clock)
    engine = Engine(
        parts,
        tick=tick if work.schedules else None,
        deliver=None if delivering is None else delivering.run,
    )
    try:
        yield RunningEngine(engine, parts, sites)
    finally:
        await engine.aclose()
        if delivering is not None:
            await delivering.aclose()
        await work.clients.aclose()
        await asyncio.to_thread(writer.close)


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
    """The same on a running loop, with the parts given. All registries at
    once: one that is dead or slow holds up no other, and a failure stays its
    registry's own. Raises StoreError, once all of them have ended or are given up."""
    began = time.monotonic()
    pool = JobPool()
    recorders = Recorders([target.name for target in targets])
    work = Work(
        targets=targets,
        judges=judges,
        clients=KeptClients(settings, database, telemetry, docker_config=docker_config),
        has_others=False,
        schedules=False,
        progress=progress,
        watcher=recorders,
    )
    async with an_engine(settings, database, telemetry, pool, clock, work) as running:
        pool.start(running.engine.handlers)
        try:
            done = await _crawl_side_by_side(
                running, recorders, targets, measure=measure
            )
            for target in targets:
                site = running.sites[target.name]
                if site.seeds_when_asked and target.only is None:
                    await seed(running.parts, site)
        finally:
            await pool.aclose()
    await asyncio.to_thread(_count_bases, settings, database, clock())
    return CrawlReport(done, time.monotonic() - began)


def _count_bases(settings: Settings, database: Database, now: datetime) -> None:
    """What was crawled is kept whether or not what stands on its bases is counted."""
    try:
        patiently(lambda: sweep_bases(database, now))
        in_part = settings.reclaim_choice.in_part
        patiently(lambda: refresh_base_summaries(database, now, in_part))
        with database.write() as connection:
            note_done(connection, Job(BASES), now)
    except StoreError as exc:
        structlog.get_logger("weighbridge.jobs").warning(
            "what stands on each base could not be counted",
            code=exc.code,
            why=exc.message,
        )


async def _crawl_side_by_side(
    running: RunningEngine,
    recorders: Recorders,
    targets: Sequence[Target],
    *,
    measure: bool,
) -> tuple[RegistryCrawl, ...]:
    """In the order of the targets."""
    try:
        async with asyncio.TaskGroup() as group:
            crawling = [
                group.create_task(
                    crawl_now(
                        running.parts,
                        recorders.by_registry[target.name],
                        running.sites[target.name],
                        target.only,
                        measure=measure,
                    )
                )
                for target in targets
            ]
    except BaseExceptionGroup as failed:
        # The first: all write to one database.
        raise failed.exceptions[0] from None
    return tuple(task.result() for task in crawling)


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
