"""One process that looks at pushes, with a fake registry and a fake queue."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from support.database import a_database
from support.fake_jobs import FakeJobs
from support.fake_registry import FakeRegistry
from support.images import a_layer, a_served_image
from support.push_world import a_push, outcomes, receive
from support.store_world import T0
from support.wait import PATIENCE_S
from weighbridge.audit.heartbeat import Heartbeat
from weighbridge.audit.judging import NO_JUDGING
from weighbridge.audit.writer import Writer
from weighbridge.bootstrap.clients import Connected
from weighbridge.bootstrap.distributed.asked import asked_repository
from weighbridge.bootstrap.push_looks import PushLooks
from weighbridge.bootstrap.targets import Target
from weighbridge.bootstrap.waiting_pushes import ring_for_pushes
from weighbridge.config import RegistrySettings, Settings, load_settings
from weighbridge.domain.digest import Digest
from weighbridge.domain.limits import MANIFEST_BODY_BYTES
from weighbridge.errors import ConfigError
from weighbridge.jobs.names import DELIVER, PUSH
from weighbridge.ports import ManifestAnswer, RangeAnswer
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

    settings: Settings
    database: Database
    registry: Slow
    looks: PushLooks
    jobs: FakeJobs
    telemetry: Telemetry

    def tell(self, repository: str = "acme/app", tag: str = "1.0") -> None:
        event = a_push(tag, repository=repository)
        receive(self.database, T0, event, registry="hub")

    async def look(self, name: str = APP) -> None:
        """As a job does, which waits long only where the registry answers."""
        may_answer = self.registry.may_answer.is_set()
        self.looks.handled_s = PATIENCE_S if may_answer else 0.05
        await self.looks.look(asked_repository(self.settings, name))

    def tick(self, now: datetime = T0) -> list[str]:
        ring_for_pushes(self.settings, self.database, self.jobs, now)
        return self.jobs.of(PUSH)

    def number(self, name: str) -> float | None:
        return self.telemetry.registry.get_sample_value(name)

    @property
    def outcomes(self) -> list[str]:
        return outcomes(self.database)


async def _nobody_pings() -> None:
    raise AssertionError("a look at a push asks for manifests")


@dataclass
class OneClient:
    registry: FakeRegistry
    error: ConfigError | None = None

    @asynccontextmanager
    async def use(self, target: Target) -> AsyncIterator[Connected]:
        if self.error is not None:
            raise self.error
        yield Connected(self.registry, None, (), _nobody_pings)


@asynccontextmanager
async def a_stage(
    folder: Path, error: ConfigError | None = None
) -> AsyncIterator[Stage]:
    registry = RegistrySettings(name="hub", url="https://registry.example")
    settings = load_settings(None, {}).model_copy(update={"registries": (registry,)})
    slow, jobs, telemetry = Slow(name="hub"), FakeJobs(), Telemetry()
    slow.put("acme/app", "1.0", ONE)
    with a_database(folder) as database:
        writer = Writer(database)
        looks = PushLooks(
            settings=settings,
            writer=writer,
            telemetry=telemetry,
            clients=OneClient(slow, error),
            heartbeat=Heartbeat(writer, lambda: T0),
            jobs=jobs,
            clock=lambda: T0,
            judging=lambda _: NO_JUDGING,
            deliver=lambda: jobs.put(DELIVER, ""),
            owner="me",
            lease_s=30,
        )
        try:
            yield Stage(settings, database, slow, looks, jobs, telemetry)
        finally:
            await looks.aclose()
            writer.close()
