"""Puts the engine of one process together, out of real parts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime

from msgspec import Struct, field

from weighbridge.bootstrap.engine.delivery_parts import Delivering
from weighbridge.bootstrap.registries.kept_clients import KeptClients
from weighbridge.bootstrap.registries.sites import SiteClients, Sites
from weighbridge.bootstrap.registries.targets import Target
from weighbridge.config import Settings
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.engine.context.parts import LogWatcher, Parts, Watcher
from weighbridge.engine.engine import Engine
from weighbridge.engine.judge.judged_batch import Judges
from weighbridge.engine.schedule.tick_job import Tick
from weighbridge.engine.tasks.lease_renewal import LEASE_S, Heartbeat, SharedJobs
from weighbridge.engine.writer.writer import Writer
from weighbridge.ports.protocols import JobQueue
from weighbridge.store.leases.validity import this_process
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry


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
    sites: Sites


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
    sites = Sites.of(settings, work.targets)
    writer = Writer(database, on_failure=lambda _: telemetry.db_write_errors.inc())
    owner = this_process()
    shared = SharedJobs(writer, clock, owner=owner, lease_s=LEASE_S)
    delivering = work.delivering
    parts = Parts(
        database=database,
        writer=writer,
        telemetry=telemetry,
        sites=sites.find,
        clients=SiteClients(work.clients, sites.targets.get),
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
    )
    tick = Tick(list(sites.sites.values()), database, clock)
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
