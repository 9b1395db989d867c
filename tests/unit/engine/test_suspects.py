"""Repositories whose last crawl did not come to an end: one of them may end whatever
process has it, and takes no others with it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from support.crawling import Yard
from support.database import a_database
from support.fake_registry import FakeRegistry
from support.images import a_layer, a_served_image
from weighbridge.domain.registry.listing import TagPage

NAMES = [f"shop/r{number}" for number in range(6)]


@dataclass
class Counting(FakeRegistry):
    """Counts whose tags are read at once."""

    reading: int = 0
    most: int = 0

    async def tags(self, repository: str) -> AsyncIterator[TagPage]:
        self.reading += 1
        self.most = max(self.most, self.reading)
        await asyncio.sleep(0.01)
        async for page in super().tags(repository):
            yield page
        self.reading -= 1


def filled() -> Counting:
    registry = Counting()
    for name in NAMES:
        registry.put(name, "1.0", a_served_image(layers=[a_layer(name, 100)]))
    return registry


def begun_in_vain(yard: Yard, times: int) -> None:
    """The process that crawled them all was killed."""
    with yard.database.write() as connection:
        connection.execute(text("UPDATE repositories SET attempts = :n"), {"n": times})


def attempts(yard: Yard) -> set[int]:
    with yard.database.read() as connection:
        rows = connection.execute(text("SELECT attempts FROM repositories"))
        return set(rows.scalars())


async def test_repositories_that_were_crawled_to_the_end_go_side_by_side(
    tmp_path: Path,
) -> None:
    with a_database(tmp_path) as database:
        yard, registry = Yard(database), filled()
        await yard.crawl(registry)

        assert registry.most == len(NAMES)


async def test_broker_005_after_a_kill_each_is_crawled_alone(tmp_path: Path) -> None:
    with a_database(tmp_path) as database:
        yard, registry = Yard(database), filled()
        await yard.crawl(registry)
        begun_in_vain(yard, 1)
        registry.most = 0

        done = await yard.crawl(registry)

        assert (done.complete, registry.most) == (len(NAMES), 1)
        assert attempts(yard) == {0}


async def test_broker_005_others_go_on_beside_one_that_may_end_its_process(
    tmp_path: Path,
) -> None:
    with a_database(tmp_path) as database:
        yard, registry = Yard(database), filled()
        await yard.crawl(registry)
        with database.write() as connection:
            connection.execute(
                text("UPDATE repositories SET attempts = 1 WHERE id < 3")
            )
        registry.most = 0

        done = await yard.crawl(registry)

        assert (done.complete, registry.most) == (len(NAMES), len(NAMES) - 1)
