"""The engine of one process over registries that tests make up."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select, update

from support.policies import NO_JUDGING
from weighbridge.domain.image.document import Problem
from weighbridge.domain.limits import Retention
from weighbridge.domain.registry.found_kind import FoundKind
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.engine.context.parts import Parts, Site
from weighbridge.engine.crawl_requests.crawl_report import (
    RegistryCrawl,
    RequestRecorder,
    report_of,
)
from weighbridge.engine.crawl_requests.requests import crawl_now
from weighbridge.engine.engine import Engine
from weighbridge.engine.judge.judged_batch import Judges, Judging
from weighbridge.engine.measure.many_layers import bring_up_to_date
from weighbridge.engine.tasks.lease_renewal import LEASE_S, Heartbeat, SharedJobs
from weighbridge.engine.writer.writer import Writer
from weighbridge.jobs.in_process.job_pool import JobPool
from weighbridge.net.guard.addresses import Reach
from weighbridge.ports.job_names import DISCOVER, MEASURE
from weighbridge.ports.protocols import Registry
from weighbridge.store.crawls.crawl_requests import CrawlRequest
from weighbridge.store.leases.jobs import Job, make_due
from weighbridge.store.leases.validity import this_process
from weighbridge.store.models import crawls, repositories
from weighbridge.store.registries.registry_rows import put_registry
from weighbridge.store.session import Connection, Database
from weighbridge.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Connected:
    """See `engine.context.parts.ConnectedRegistry`."""

    registry: Registry
    seen: Reach | None = None
    warnings: Sequence[Problem] = ()
    found: FoundKind | None = None


@dataclass(frozen=True, slots=True)
class FakeClients:
    """`Clients` of `engine.context.parts` over registries that are there."""

    registries: Mapping[str, Registry]

    @asynccontextmanager
    async def use(self, registry: str) -> AsyncIterator[Connected]:
        yield Connected(self.registries[registry])


@dataclass(slots=True)
class Crawler:
    """An engine and the pool of its jobs, on the running loop.

    judging: what its crawls judge images by, and who is notified
    """

    database: Database
    clock: Callable[[], datetime]
    registries: Mapping[str, Registry]
    sites: Sequence[Site]
    judging: Judging = NO_JUDGING
    telemetry: Telemetry = field(default_factory=Telemetry)
    owner: str = field(default_factory=this_process)
    parts: Parts = field(init=False)
    engine: Engine = field(init=False)
    pool: JobPool = field(init=False)
    recorder: RequestRecorder = field(init=False)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Crawler"]:
        """The block runs beside its jobs; they are given back at its end."""
        writer = Writer(self.database)
        self.pool, self.recorder = JobPool(), RequestRecorder()
        shared = SharedJobs(writer, self.clock, owner=self.owner, lease_s=LEASE_S)
        known = {site.name: site for site in self.sites}
        judging = self.judging
        self.parts = Parts(
            database=self.database,
            writer=writer,
            telemetry=self.telemetry,
            sites=known.get,
            clients=FakeClients(self.registries),
            heartbeat=Heartbeat(writer, self.clock, also=shared.renew),
            shared=shared,
            jobs=self.pool,
            judges=Judges(lambda: judging.policies, judging.tell, judging.is_silent),
            deliver=lambda: None,
            clock=self.clock,
            owner=self.owner,
            lease_s=LEASE_S,
            retention=Retention(None, None),
            measures=False,
            progress=Progress(),
            watcher=self.recorder,
        )
        async with AsyncExitStack() as stack:
            stack.callback(writer.close)
            self.engine = Engine(self.parts)
            stack.push_async_callback(self.engine.aclose)
            stack.push_async_callback(self.pool.aclose)
            self.pool.start(self.engine.handlers)
            yield self

    async def crawl(
        self, registry: str, *, measure: bool = False, all_due: bool = True
    ) -> RegistryCrawl:
        """A registry as the schedule has it crawled. all_due: also what is not due."""
        parts, began = self.parts, self.clock()
        site = parts.sites(registry)
        assert site is not None
        self.recorder.begin()
        last_crawl = await parts.writer.read(_last_crawl)
        registry_id = await parts.writer.write(put_registry, site.entry(None), began)
        await parts.writer.write(_have_due, registry_id, registry, began, all_due)
        self.pool.put(DISCOVER, registry)
        await self.is_done()
        if measure:
            await parts.writer.write(make_due, Job(MEASURE, registry), began)
            self.pool.put(MEASURE, registry)
            await self.is_done()
        else:
            await bring_up_to_date(parts, site, registry_id)
        request = CrawlRequest(
            id=0,
            registry_id=registry_id,
            registry=registry,
            names=site.scope.only,
            measures=measure,
            asked_at=began,
            state="done",
            reason="",
            known=None,
            crawled_at=None,
            ended_at=None,
            after_crawl_id=last_crawl,
        )
        return await parts.writer.read(
            report_of, site, request, self.recorder.facts, ()
        )

    async def crawl_now(
        self, registry: str, names: Sequence[str] | None = None, *, measure: bool
    ) -> RegistryCrawl:
        """A crawl that somebody asked for."""
        site = self.parts.sites(registry)
        assert site is not None
        return await crawl_now(self.parts, self.recorder, site, names, measure=measure)

    async def is_done(self) -> None:
        """Wait until nothing is being done. Raises what the database refused."""
        while not (self.pool.is_idle and self.engine.is_idle):
            await asyncio.sleep(0.001)
            if self.recorder.facts.broken is not None:
                raise self.recorder.facts.broken


def _last_crawl(connection: Connection) -> int:
    found: int = connection.execute(
        select(func.coalesce(func.max(crawls.c.id), 0))
    ).scalar_one()
    return found


def _have_due(
    connection: Connection,
    registry_id: int,
    registry: str,
    now: datetime,
    all_due: bool,
) -> None:
    make_due(connection, Job(DISCOVER, registry), now)
    if all_due:
        connection.execute(
            update(repositories)
            .where(
                repositories.c.registry_id == registry_id, repositories.c.due_at > now
            )
            .values(due_at=now)
        )
