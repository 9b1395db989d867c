"""Repositories that are taken and not begun yet."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace
from sqlalchemy import select

from support.crawler import Connected, FakeClients
from support.crawling import Yard
from support.database import a_database
from support.fake_registry import FakeRegistry
from support.images import a_layer, a_served_image
from support.wait import wait_until
from weighbridge.engine.context.parts import Scope, Site
from weighbridge.engine.crawl.registry.crawl_job import Slices
from weighbridge.store.models import repositories

APP = "shop/a"


@dataclass(frozen=True, slots=True)
class Held(FakeClients):
    """No client can be had before that is set."""

    may_be_used: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def use(self, registry: str) -> AsyncIterator[Connected]:
        await self.may_be_used.wait()
        async with FakeClients.use(self, registry) as connected:
            yield connected


async def test_who_waits_for_a_crawl_waits_for_one_that_is_about_to_begin(
    tmp_path: Path,
) -> None:
    """Else a repository is not found gone by the listing that had it asked for."""
    registry = FakeRegistry()
    registry.put(APP, "1.0", a_served_image(layers=[a_layer("a", 100)]))
    with a_database(tmp_path) as database:
        yard = Yard(database)
        await yard.crawl(registry)
        yard.now += timedelta(days=1)
        number, is_leased = _row(yard)
        assert not is_leased
        async with yard.crawler(registry).running() as crawler:
            clients = Held({yard.entry.name: registry})
            slices = Slices(replace(crawler.parts, clients=clients), lambda _: None)
            one = slices.of(Site(yard.entry, Scope()))
            turn = asyncio.create_task(one.turn())
            await wait_until(lambda: _row(yard)[1], "it is taken")
            crawl = asyncio.create_task(one.crawl([number], only_due=False))
            await asyncio.sleep(0.1)
            was_done = crawl.done()
            clients.may_be_used.set()
            await crawl
            is_leased = _row(yard)[1]
            await turn
            await slices.aclose()
        looked = len(yard.crawls(APP))

    assert not was_done
    assert not is_leased
    assert looked == 2


def _row(yard: Yard) -> tuple[int, bool]:
    """The repository, and whether somebody has it."""
    with yard.database.read() as connection:
        number, until = connection.execute(
            select(repositories.c.id, repositories.c.lease_until)
        ).one()
    return number, until is not None
