"""The job PUSH: which look when, and what is asked for again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from support.database import a_database
from support.fake_jobs import FakeJobs
from support.fake_registry import FakeRegistry
from support.images import a_layer, a_served_image
from support.push_world import a_push, outcomes, receive
from support.store_world import T0
from support.wait import wait_until
from weighbridge.audit.heartbeat import Heartbeat
from weighbridge.audit.judging import NO_JUDGING
from weighbridge.audit.writer import Writer
from weighbridge.bootstrap.clients import Connected
from weighbridge.bootstrap.distributed.asked import asked_repository
from weighbridge.bootstrap.push_looks import HANDLED_S, OF_A_REGISTRY, PushLooks
from weighbridge.bootstrap.waiting_pushes import ring_for_pushes, show_inbox
from weighbridge.config import RegistrySettings, Settings, load_settings
from weighbridge.domain.digest import Digest
from weighbridge.errors import ConfigError
from weighbridge.jobs.names import CRAWL, DELIVER, PUSH
from weighbridge.ports import ManifestAnswer
from weighbridge.store.models import repositories
from weighbridge.store.push_tables import pushes
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

    async def get_manifest(self, repository: str, reference: str) -> ManifestAnswer:
        self.asked["begun", repository] += 1
        await self.may_answer.wait()
        return await FakeRegistry.get_manifest(self, repository, reference)

    async def get_range(
        self, repository: str, digest: Digest, first: int, last: int, total_bytes: int
    ) -> bytes:
        await self.may_measure.wait()
        return await FakeRegistry.get_range(
            self, repository, digest, first, last, total_bytes
        )


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
    async def use(self, registry: RegistrySettings) -> AsyncIterator[Connected]:
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


async def test_a_look_leads_to_messages_and_numbers(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as stage:
        stage.registry.may_answer.set()
        stage.tell()
        await stage.look()

        assert stage.outcomes == ["new"]
        assert stage.jobs.of(DELIVER) != []
        # Nobody has ever looked at the rest of it.
        assert stage.jobs.of(CRAWL) == [APP]
        audits = stage.telemetry.registry.get_sample_value(
            "weighbridge_push_audits_total", {"registry": "hub", "verdict": "pass"}
        )
        assert audits == 1


async def test_a_job_does_not_wait_for_a_registry_that_is_slow(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as stage:
        stage.tell()
        await stage.look()  # Returns, though nothing was answered.
        assert stage.outcomes == ["..."]

        stage.registry.may_answer.set()
        await wait_until(lambda: stage.outcomes == ["new"], "the look goes on")


async def test_what_comes_while_a_look_goes_on_is_looked_at_after_it(
    tmp_path: Path,
) -> None:
    async with a_stage(tmp_path) as stage:
        stage.registry.put("acme/app", "1.1", ONE)
        stage.tell()
        await stage.look()
        stage.tell(tag="1.1")
        await stage.look()
        stage.registry.may_answer.set()

        await wait_until(lambda: stage.outcomes == ["new", "new"], "both are looked at")


async def test_one_registry_does_not_take_all_places(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as stage:
        names = [f"acme/app{number}" for number in range(OF_A_REGISTRY + 3)]
        for name in names:
            stage.registry.put(name, "1.0", ONE)
            stage.tell(name)
        await asyncio.gather(*(stage.look(f"hub/{name}") for name in names))
        begun = [key for key in stage.registry.asked if key[0] == "begun"]
        assert len(begun) == OF_A_REGISTRY

        # The others have their turn as soon as there is room, and nobody rings for it.
        stage.registry.may_answer.set()
        await wait_until(
            lambda: "..." not in stage.outcomes, "all of them are looked at"
        )
        assert len(stage.outcomes) == OF_A_REGISTRY + 3
        assert stage.jobs.of(PUSH) == []


async def test_who_is_in_line_twice_is_looked_at_once(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as stage:
        names = [f"acme/app{number}" for number in range(OF_A_REGISTRY + 1)]
        for name in names:
            stage.registry.put(name, "1.0", ONE)
            stage.tell(name)
        for name in (*names, names[-1]):
            await asyncio.wait_for(stage.look(f"hub/{name}"), 5)
        stage.registry.may_answer.set()
        await wait_until(lambda: "..." not in stage.outcomes, "all are looked at")

        assert stage.registry.asked["begun", names[-1]] == 1


async def test_a_push_that_is_due_soon_does_not_wait_for_one_that_is_due_later(
    tmp_path: Path,
) -> None:
    async with a_stage(tmp_path) as stage:
        stage.registry.may_answer.set()
        stage.tell()
        await stage.look()
        with stage.database.write() as connection:
            later = T0 + timedelta(seconds=30)
            connection.execute(update(pushes).values(done_at=None, due_at=later))
        await stage.look()  # Waits for that.

        # The registry tells of a tag that it does not show yet.
        stage.tell(tag="2.0")
        await stage.look()
        await wait_until(
            lambda: stage.jobs.of(PUSH) == [APP], "it is rung for", deadline_s=3
        )


async def test_a_repository_in_other_hands_is_rung_for_within_a_moment(
    tmp_path: Path,
) -> None:
    async with a_stage(tmp_path) as stage:
        stage.registry.may_answer.set()
        stage.tell()
        await stage.look()
        with stage.database.write() as connection:
            values = {"lease_until": T0 + MINUTE, "lease_owner": "elsewhere"}
            connection.execute(update(repositories).values(values))
        stage.tell()
        await stage.look()

        await wait_until(
            lambda: stage.jobs.of(PUSH) == [APP], "it is asked for again", deadline_s=1
        )
        assert stage.outcomes == ["new", "..."]


async def test_f36_what_a_process_left_is_looked_at_by_the_next(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as stage:
        stage.tell()
        await stage.look()
        await stage.looks.aclose()

        assert stage.outcomes == ["..."]
        assert stage.tick() == [APP]


async def test_a_push_that_was_put_off_is_not_asked_for_before(tmp_path: Path) -> None:
    fault = ConfigError("no password", code="secret_file")
    async with a_stage(tmp_path, fault) as stage:
        stage.tell()
        with pytest.raises(ConfigError):
            await stage.look()

        assert stage.tick() == []
        assert stage.tick(T0 + timedelta(seconds=2)) == [APP]


async def test_broker_003_what_is_not_configured_any_more_is_not_asked_for(
    tmp_path: Path,
) -> None:
    async with a_stage(tmp_path) as stage:
        receive(stage.database, T0, a_push("1.0"), registry="evil")

        assert stage.tick() == []
        assert stage.outcomes == ["unknown_registry"]


async def test_a_whole_pass_answers_a_push_that_names_nothing(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as stage:
        stage.registry.may_answer.set()
        stage.tell()
        await stage.look()
        stage.registry.put("acme/app", "2.0", ONE)
        event = a_push(None, is_delete=True)
        receive(stage.database, T0, event, registry="hub")
        await stage.look()
        assert stage.outcomes == ["new", "..."]

        await stage.looks.look_at_all(asked_repository(stage.settings, APP))

        assert stage.outcomes == ["new", "looked"]
        assert stage.registry.asked["get_manifest", "2.0"] == 1


async def test_what_a_look_measures_keeps_nobody_waiting(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as stage:
        stage.registry.may_answer.set()
        stage.registry.may_measure.clear()
        stage.tell()
        loop = asyncio.get_running_loop()
        began = loop.time()
        await stage.look()

        assert stage.outcomes == ["new"]
        assert stage.jobs.of(DELIVER) != []
        # Well before the time that a job waits for a verdict.
        assert loop.time() - began < HANDLED_S
        stage.registry.may_measure.set()


async def test_what_waits_is_shown(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as stage:
        stage.tell()
        stage.tell(tag="1.1")
        show_inbox(stage.database, stage.telemetry)

        assert stage.number("weighbridge_pushes_waiting") == 2
        oldest = stage.number("weighbridge_pushes_oldest_timestamp_seconds")
        assert oldest == T0.timestamp()
