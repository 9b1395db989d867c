"""What the jobs of one process ask of a registry is counted once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import select

from support.database import a_database
from support.fake_jobs import FakeJobs
from support.fake_registry import FakeRegistry
from support.images import a_layer, a_served_image
from support.push_world import a_push, outcomes, receive
from support.store_world import T0
from support.wait import wait_until
from weighbridge.audit.heartbeat import Heartbeat
from weighbridge.audit.push_desk import Judged, PushDesk
from weighbridge.audit.writer import Writer
from weighbridge.bootstrap.clients import Connected
from weighbridge.bootstrap.distributed.asked import asked_registry, asked_repository
from weighbridge.bootstrap.distributed.looks import Looks
from weighbridge.bootstrap.distributed.shared_jobs import SharedJobs
from weighbridge.bootstrap.judges import Judges
from weighbridge.bootstrap.targets import Target
from weighbridge.config import RegistrySettings, Settings, load_settings
from weighbridge.domain.digest import Digest
from weighbridge.domain.limits import MANIFEST_BODY_BYTES
from weighbridge.domain.policy_set import NO_POLICIES
from weighbridge.jobs.names import MEASURE
from weighbridge.ports import ManifestAnswer, RangeAnswer
from weighbridge.store.jobs import Job, make_due
from weighbridge.store.models import registries
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

NAMES = ("acme/app", "acme/web", "acme/db")


async def _not_asked() -> None:
    """A ping: no job needs one."""


@dataclass
class OneClient:
    """All jobs share it, as they do in a process."""

    registry: FakeRegistry = field(default_factory=lambda: FakeRegistry(name="hub"))

    @asynccontextmanager
    async def use(self, target: Target) -> AsyncIterator[Connected]:
        yield Connected(self.registry, None, (), _not_asked)


@pytest.fixture
def clients() -> OneClient:
    clients = OneClient()
    for number, name in enumerate(NAMES):
        image = a_served_image(layers=[a_layer(f"layer {number}", 100)])
        for tag in ("one", "two"):
            clients.registry.put(name, tag, image)
    return clients


@pytest.fixture
def settings() -> Settings:
    registry = RegistrySettings(name="hub", url="https://registry.example")
    return load_settings(None, {}).model_copy(update={"registries": (registry,)})


@asynccontextmanager
async def looks_of(
    settings: Settings,
    database: Database,
    clients: OneClient,
    jobs: FakeJobs | None = None,
    desk: PushDesk | None = None,
) -> AsyncIterator[Looks]:
    writer = Writer(database)
    shared = SharedJobs(writer, lambda: T0, owner="a", lease_s=30)
    try:
        yield Looks(
            settings=settings,
            writer=writer,
            telemetry=Telemetry(),
            clients=clients,
            heartbeat=Heartbeat(writer, lambda: T0),
            shared=shared,
            jobs=jobs or FakeJobs(),
            judges=Judges(lambda: NO_POLICIES),
            clock=lambda: T0,
            owner="a",
            lease_s=30,
            desk=lambda _: desk,
        )
    finally:
        writer.close()


def noted(database: Database) -> int:
    with database.read() as connection:
        requests: int = connection.execute(select(registries.c.requests)).scalar_one()
    return requests


async def test_jobs_side_by_side_do_not_count_each_others_requests(
    tmp_path: Path, settings: Settings, clients: OneClient
) -> None:
    with a_database(tmp_path) as database:
        async with looks_of(settings, database, clients) as looks:
            await looks.discover(asked_registry(settings, "hub"))
            await asyncio.gather(
                *(looks.crawl(asked_repository(settings, f"hub/{n}")) for n in NAMES),
                looks.measure(asked_registry(settings, "hub")),
            )

        assert clients.registry.cost.requests > 2 * len(NAMES)
        assert noted(database) == clients.registry.cost.requests


@dataclass
class Endless(FakeRegistry):
    """Never answers about a manifest."""

    was_asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def get_manifest(
        self, repository: str, reference: str, limit_bytes: int = MANIFEST_BODY_BYTES
    ) -> ManifestAnswer:
        self._ask("get_manifest", reference)
        self.was_asked.set()
        return await asyncio.Future()


@dataclass
class Slow(FakeRegistry):
    """Does not say for a while what `1.0` is."""

    was_asked: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def get_manifest(
        self, repository: str, reference: str, limit_bytes: int = MANIFEST_BODY_BYTES
    ) -> ManifestAnswer:
        if reference == "1.0":
            self.was_asked.set()
            await self.may_answer.wait()
        return await FakeRegistry.get_manifest(self, repository, reference, limit_bytes)


async def test_what_is_pushed_during_a_long_pass_does_not_wait_for_its_end(
    tmp_path: Path, settings: Settings
) -> None:
    clients = OneClient(slow := Slow(name="hub"))
    image = a_served_image(layers=[a_layer("layer", 100)])
    slow.put("acme/app", "1.0", image)
    judged: list[Judged] = []
    desk = PushDesk("hub", judged.extend, lambda _: None)
    with a_database(tmp_path) as database:
        async with looks_of(settings, database, clients, desk=desk) as looks:
            await looks.discover(asked_registry(settings, "hub"))
            asked = asked_repository(settings, "hub/acme/app")
            job = asyncio.create_task(looks.crawl(asked))
            await slow.was_asked.wait()
            slow.put("acme/app", "1.1", image)
            receive(database, T0, a_push("1.1"), registry="hub")
            await wait_until(lambda: bool(judged), "the push is looked at")

            assert not job.done()
            assert outcomes(database) == ["new"]
            slow.may_answer.set()
            await job


async def test_what_a_job_has_asked_is_counted_where_it_is_cut_off(
    tmp_path: Path, settings: Settings
) -> None:
    clients = OneClient(endless := Endless(name="hub"))
    clients.registry.put(
        "acme/app", "one", a_served_image(layers=[a_layer("layer", 100)])
    )
    with a_database(tmp_path) as database:
        async with looks_of(settings, database, clients) as looks:
            await looks.discover(asked_registry(settings, "hub"))
            asked = asked_repository(settings, "hub/acme/app")
            job = asyncio.create_task(looks.crawl(asked))
            await endless.was_asked.wait()
            job.cancel()
            await asyncio.gather(job, return_exceptions=True)

        assert noted(database) == clients.registry.cost.requests == 3


async def _nothing() -> None:
    pass


@dataclass
class Interrupted(FakeRegistry):
    """Something happens whenever bytes of a layer are asked for."""

    meanwhile: Callable[[], Awaitable[None]] = _nothing

    async def get_range(
        self, repository: str, digest: Digest, first: int, last: int
    ) -> RangeAnswer:
        await self.meanwhile()
        return await super().get_range(repository, digest, first, last)


@pytest.mark.parametrize("comes_more", [False, True])
async def test_what_comes_while_layers_are_measured_is_asked_for_at_the_end(
    tmp_path: Path, settings: Settings, comes_more: bool
) -> None:
    clients = OneClient(registry := Interrupted(name="hub"))
    registry.put("acme/app", "one", a_served_image(layers=[a_layer("layer", 100)]))
    jobs = FakeJobs()
    with a_database(tmp_path) as database:
        async with looks_of(settings, database, clients, jobs) as looks:
            await looks.discover(asked_registry(settings, "hub"))
            await looks.crawl(asked_repository(settings, "hub/acme/app"))

            async def ask_for_more() -> None:
                await looks.writer.write(make_due, Job(MEASURE, "hub"), T0)

            if comes_more:
                registry.meanwhile = ask_for_more
            before = len(jobs.of(MEASURE))
            await looks.measure(asked_registry(settings, "hub"))

    assert registry.count("get_range") > 0
    assert len(jobs.of(MEASURE)) - before == comes_more
