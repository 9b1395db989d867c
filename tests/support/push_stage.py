"""One process that looks at pushes, with a fake registry and a fake queue."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from support.crawler import Crawler
from support.database import a_database
from support.fake_jobs import FakeJobs
from support.fake_registry import FakeRegistry
from support.images import a_layer, a_served_image
from support.push_world import a_push, outcomes, receive
from support.store_world import T0, an_entry
from support.wait import PATIENCE_S
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.limits import MANIFEST_BODY_BYTES
from weighbridge.engine.context.parts import (
    ConnectedRegistry,
    Scope,
    Site,
    asked_repository,
)
from weighbridge.engine.engine import Engine
from weighbridge.engine.push.push_job import PushJob
from weighbridge.engine.schedule.tick_job import waiting_pushes
from weighbridge.errors import ConfigError
from weighbridge.ports.job_names import DELIVER, PUSH
from weighbridge.ports.protocols import ManifestAnswer, RangeAnswer
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

ONE = a_served_image(layers=[a_layer("one", 100)])
APP = "hub/acme/app"
MINUTE = timedelta(minutes=1)


@dataclass
class Slow(FakeRegistry):
    """Answers once it may."""

    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    may_measure: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_measure.set()

    async def get_manifest(
        self, repository: str, reference: str, limit_bytes: int = MANIFEST_BODY_BYTES
    ) -> ManifestAnswer:
        self.asked["begun", repository] += 1
        await self.may_answer.wait()
        return await FakeRegistry.get_manifest(self, repository, reference, limit_bytes)

    async def get_range(
        self, repository: str, digest: Digest, first: int, last: int
    ) -> RangeAnswer:
        await self.may_measure.wait()
        return await FakeRegistry.get_range(self, repository, digest, first, last)


@dataclass
class Stage:
    """One process that looks at pushes, and what it asks others for."""

    database: Database
    registry: Slow
    looks: PushJob
    engine: Engine
    jobs: FakeJobs
    telemetry: Telemetry

    def tell(self, repository: str = "acme/app", tag: str = "1.0") -> None:
        event = a_push(tag, repository=repository)
        receive(self.database, T0, event, registry="hub")

    async def handle(self, name: str = APP) -> None:
        """As a job does, which waits long only where the registry answers."""
        may_answer = self.registry.may_answer.is_set()
        self.looks.handled_s = PATIENCE_S if may_answer else 0.05
        await self.looks.handle(asked_repository(self.looks.parts.sites, name))

    def tick(self, now: datetime = T0) -> list[str]:
        sites = self.looks.parts.sites
        return [*self.jobs.of(PUSH), *waiting_pushes(sites, self.database, now)]

    def number(self, name: str) -> float | None:
        return self.telemetry.registry.get_sample_value(name)

    @property
    def outcomes(self) -> list[str]:
        return outcomes(self.database)


@dataclass(frozen=True, slots=True)
class RefusingClients:
    """A registry whose client cannot be opened."""

    error: ConfigError

    def use(self, registry: str) -> AbstractAsyncContextManager[ConnectedRegistry]:
        raise self.error


@asynccontextmanager
async def a_stage(
    folder: Path, error: ConfigError | None = None
) -> AsyncIterator[Stage]:
    slow, jobs = Slow(name="hub"), FakeJobs()
    slow.put("acme/app", "1.0", ONE)
    site = Site(an_entry("hub"), Scope())
    with a_database(folder) as database:
        crawler = Crawler(database, lambda: T0, {"hub": slow}, [site])
        async with crawler.running():
            parts = replace(
                crawler.parts,
                jobs=jobs,
                deliver=lambda: jobs.put(DELIVER, ""),
                clients=crawler.parts.clients
                if error is None
                else RefusingClients(error),
            )
            looks = PushJob(parts)
            try:
                engine = crawler.engine
                yield Stage(database, slow, looks, engine, jobs, crawler.telemetry)
            finally:
                await looks.aclose()
