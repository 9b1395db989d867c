"""A probe takes its turn among all processes that ask the same registry."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.database import a_database
from support.redis_server import RedisServer, a_redis
from support.scripted_registry import Reply, scripted_registry
from support.wait import PATIENCE_S
from weighbridge.bootstrap.distributed.service import probe_paces
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.bootstrap.registries.probing import Probes
from weighbridge.config import RegistrySettings, Settings, load_settings
from weighbridge.config.settings import Pace
from weighbridge.jobs.pacing.shared_pacing import SharedPaces
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

HELLO = Reply(headers=(("content-type", "application/json"),), body=b"{}")


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with a_redis() as running:
        yield running


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with a_database(tmp_path) as opened:
        yield opened


def settings_of(url: str, redis: RedisServer | None) -> Settings:
    hub = RegistrySettings(name="hub", url=url)
    redis_url = None if redis is None else redis.url
    return load_settings(None, {}, KINDS).model_copy(
        update={"registries": (hub,), "redis_url": redis_url}
    )


async def test_a_pause_that_a_worker_was_told_holds_for_a_probe(
    redis: RedisServer, database: Database
) -> None:
    async with scripted_registry() as registry:
        registry.on("GET", "/v2/", HELLO)
        settings = settings_of(registry.url, redis)
        # So that the pause is noted, however long Redis takes.
        worker = SharedPaces(redis.url, give_up_s=PATIENCE_S)
        worker.of("hub", Pace(None, 8)).pause(300)
        await worker.aclose()
        paces = probe_paces(settings)

        probe = await Probes(settings, database, Telemetry(), paces, deadline_s=0.5)(
            "hub"
        )

        assert probe.failure == "deadline"
        assert registry.seen == []


async def test_without_redis_nobody_else_asks(database: Database) -> None:
    async with scripted_registry() as registry:
        registry.on("GET", "/v2/", HELLO)
        settings = settings_of(registry.url, None)
        paces = probe_paces(settings)

        probe = await Probes(settings, database, Telemetry(), paces)("hub")

        assert probe.failure == ""
        assert registry.targets == ["GET /v2/"]
