"""What the jobs of one process ask of a registry is counted once; none keeps its caller
for long."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from support.crawler import Crawler
from support.database import a_database
from support.fake_jobs import FakeJobs
from support.fake_registry import FakeRegistry
from support.images import a_layer, a_served_image
from support.push_world import a_push, outcomes, receive
from support.store_world import T0, an_entry
from support.wait import wait_until
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.limits import MANIFEST_BODY_BYTES
from weighbridge.engine.context.parts import Scope, Site
from weighbridge.engine.crawl.registry.crawl_job import STILL_S
from weighbridge.engine.measure.many_layers import measure
from weighbridge.ports.job_names import CRAWL, DISCOVER, MEASURE
from weighbridge.ports.protocols import ManifestAnswer, RangeAnswer
from weighbridge.store.leases.jobs import Job, make_due
from weighbridge.store.models import registries
from weighbridge.store.session import Database

NAMES = ("acme/app", "acme/web", "acme/db")


def filled() -> FakeRegistry:
    registry = FakeRegistry(name="hub")
    for number, name in enumerate(NAMES):
        image = a_served_image(layers=[a_layer(f"layer {number}", 100)])
        for tag in ("one", "two"):
            registry.put(name, tag, image)
    return registry


def a_crawler(database: Database, registry: FakeRegistry) -> Crawler:
    site = Site(an_entry("hub"), Scope())
    return Crawler(database, lambda: T0, {"hub": registry}, [site])


def noted(database: Database) -> int:
    with database.read() as connection:
        requests: int = connection.execute(select(registries.c.requests)).scalar_one()
    return requests


async def test_jobs_side_by_side_do_not_count_each_others_requests(
    tmp_path: Path,
) -> None:
    registry = filled()
    with a_database(tmp_path) as database:
        async with a_crawler(database, registry).running() as crawler:
            for job in (DISCOVER, CRAWL, MEASURE):
                crawler.pool.put(job, "hub")
            await crawler.is_done()
            for name in NAMES:
                crawler.pool.put(CRAWL, f"hub/{name}")
            crawler.pool.put(MEASURE, "hub")
            await crawler.is_done()

        assert registry.cost.requests > 2 * len(NAMES)
        assert noted(database) == registry.cost.requests


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


async def test_what_is_pushed_during_a_long_crawl_does_not_wait_for_its_end(
    tmp_path: Path,
) -> None:
    slow = Slow(name="hub")
    image = a_served_image(layers=[a_layer("layer", 100)])
    slow.put("acme/app", "1.0", image)
    with a_database(tmp_path) as database:
        async with a_crawler(database, slow).running() as crawler:
            crawler.pool.put(DISCOVER, "hub")
            await slow.was_asked.wait()
            slow.put("acme/app", "1.1", image)
            receive(database, T0, a_push("1.1"), registry="hub")
            await wait_until(lambda: outcomes(database) == ["new"], "it is looked at")

            assert not crawler.engine.is_idle
            slow.may_answer.set()
            await crawler.is_done()


async def test_a_job_returns_though_what_it_took_is_not_crawled_yet(
    tmp_path: Path,
) -> None:
    endless = Endless(name="hub")
    endless.put("acme/app", "one", a_served_image(layers=[a_layer("layer", 100)]))
    with a_database(tmp_path) as database:
        async with a_crawler(database, endless).running() as crawler:
            await crawler.engine.handlers[DISCOVER]("hub")
            async with asyncio.timeout(STILL_S * 8):
                await crawler.engine.handlers[CRAWL]("hub")
                await crawler.engine.handlers[CRAWL]("hub")

            assert endless.was_asked.is_set()
            assert not crawler.engine.is_idle


async def test_what_a_crawl_has_asked_is_counted_where_it_is_cut_off(
    tmp_path: Path,
) -> None:
    endless = Endless(name="hub")
    endless.put("acme/app", "one", a_served_image(layers=[a_layer("layer", 100)]))
    with a_database(tmp_path) as database:
        async with a_crawler(database, endless).running() as crawler:
            crawler.pool.put(DISCOVER, "hub")
            await endless.was_asked.wait()

        assert noted(database) == endless.cost.requests == 3


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
    tmp_path: Path, comes_more: bool
) -> None:
    registry = Interrupted(name="hub")
    registry.put("acme/app", "one", a_served_image(layers=[a_layer("layer", 100)]))
    jobs = FakeJobs()
    with a_database(tmp_path) as database:
        async with a_crawler(database, registry).running() as crawler:
            await crawler.engine.handlers[DISCOVER]("hub")
            await crawler.is_done()

            async def ask_for_more() -> None:
                await crawler.parts.writer.write(make_due, Job(MEASURE, "hub"), T0)

            if comes_more:
                registry.meanwhile = ask_for_more
            site = crawler.sites[0]
            await measure(replace(crawler.parts, jobs=jobs), site)

    assert registry.count("get_range") > 0
    assert len(jobs.of(MEASURE)) == comes_more
