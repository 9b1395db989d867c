"""A repository is deleted only when enough says so, and may come back."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from support.crawling import Yard, a_yard
from support.fake_registry import FakeRegistry
from support.images import a_served_image, some_layers
from support.troubled_registry import PhantomRegistry
from support.wait import wait_until
from weighbridge.domain.registry.listing import MASS, RepositoryListing, TagPage
from weighbridge.engine.context.crawl_context import CrawlOutcome
from weighbridge.engine.context.parts import Scope
from weighbridge.engine.crawl.registry.after_crawls import Following
from weighbridge.errors import RegistryError
from weighbridge.store.crawls.crawl_rows import CrawlResult
from weighbridge.store.models import registries, repositories
from weighbridge.store.registries.repository_rows import CRAWLS

pytestmark = pytest.mark.slow

DAY = timedelta(days=1)
MISSING = CrawlOutcome(
    CrawlResult(
        state="missing",
        reason="name_unknown",
        complete=False,
        tags_seen=0,
        tags_new=0,
        tags_moved=0,
        tags_deleted=0,
        tags_failed=0,
        invalid_tags=0,
        requests=1,
        bytes_read=0,
        held=frozenset(),
    ),
    faults=(),
)


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with a_yard(tmp_path) as made:
        yield made


@dataclass(slots=True)
class PrivateRegistry(FakeRegistry):
    """Has a repository that its catalog does not show to us."""

    private: str = ""

    async def repositories(self) -> AsyncIterator[RepositoryListing]:
        names = sorted(self.tags_by_repository)
        yield RepositoryListing(tuple(name for name in names if name != self.private))


@dataclass(slots=True)
class LateRegistry(FakeRegistry):
    """Answers about tags when its catalog was read, and somewhat later."""

    is_read: asyncio.Event = field(default_factory=asyncio.Event)

    async def repositories(self) -> AsyncIterator[RepositoryListing]:
        async for page in FakeRegistry.repositories(self):
            yield page
        self.is_read.set()

    async def tags(self, repository: str) -> AsyncIterator[TagPage]:
        await self.is_read.wait()
        await asyncio.sleep(0.2)
        async for page in FakeRegistry.tags(self, repository):
            yield page


def fill(registry: FakeRegistry, *names: str) -> None:
    for name in names:
        layers = some_layers(1000, 10, name=name)
        registry.put(name, "1", a_served_image(layers))


def states(yard: Yard) -> dict[str, str]:
    with yard.database.read() as connection:
        rows = connection.execute(select(repositories.c.name, repositories.c.state))
        return {row.name: row.state for row in rows}


def held(yard: Yard) -> int:
    with yard.database.read() as connection:
        count: int = connection.execute(select(registries.c.removals_held)).scalar_one()
    return count


async def test_registry_list_007_one_unknown_name_removes_nothing(yard: Yard) -> None:
    registry = PhantomRegistry()
    fill(registry, "shop/a", "shop/b")
    await yard.crawl(registry)
    del registry.tags_by_repository["shop/a"]
    registry.phantoms = ("shop/a",)

    await yard.crawl(registry)

    assert states(yard) == {"shop/a": "missing", "shop/b": "ok"}
    assert yard.tags("shop/a")["1"].deleted_at is None
    assert yard.repository("shop/a").newest_compressed_bytes == 1010


async def test_registry_list_007_three_crawls_over_a_day_are_believed(
    yard: Yard,
) -> None:
    registry = PhantomRegistry()
    fill(registry, "shop/a", "shop/b")
    await yard.crawl(registry)
    del registry.tags_by_repository["shop/a"]
    registry.phantoms = ("shop/a",)
    await yard.crawl(registry)
    yard.now += DAY
    await yard.crawl(registry)
    assert states(yard)["shop/a"] == "missing"

    await yard.crawl(registry)

    assert states(yard)["shop/a"] == "deleted"
    assert yard.tags("shop/a")["1"].deleted_at is not None


async def test_missing_ones_are_deleted_whoever_tells_that_all_was_crawled(
    yard: Yard,
) -> None:
    """Its note was read while others were still being crawled, and the last of these
    had nothing to note."""
    registry = PhantomRegistry()
    fill(registry, "shop/a", "shop/b")
    await yard.crawl(registry)
    del registry.tags_by_repository["shop/a"]
    registry.phantoms = ("shop/a",)
    await yard.crawl(registry)
    with yard.database.write() as connection:
        missing = repositories.c.state == "missing"
        connection.execute(
            update(repositories).where(missing).values(missing_crawls=CRAWLS)
        )
    yard.now += DAY
    crawler = yard.crawler(registry)
    async with crawler.running():
        parts = crawler.parts
        site = parts.sites("fake")
        assert site is not None
        costing = parts.costing(site)

        async def stop() -> None:
            """Nothing is being crawled."""

        following = Following(parts, site, costing, stop)
        with yard.database.read() as connection:
            number = connection.execute(select(repositories.c.id).where(missing))
            following.note(number.scalar_one(), MISSING)
        following.begin(is_over=False)
        await wait_until(lambda: not following.is_busy, "it is done")
        assert states(yard)["shop/a"] == "missing"

        following.begin(is_over=True)
        await wait_until(lambda: not following.is_busy, "it is done")

    assert states(yard) == {"shop/a": "deleted", "shop/b": "ok"}


async def test_three_crawls_within_an_hour_are_not_enough(yard: Yard) -> None:
    registry = PhantomRegistry()
    fill(registry, "shop/a", "shop/b")
    await yard.crawl(registry)
    del registry.tags_by_repository["shop/a"]
    registry.phantoms = ("shop/a",)

    for _ in range(4):
        await yard.crawl(registry)

    assert states(yard)["shop/a"] == "missing"


async def test_a_catalog_that_agrees_is_believed_at_once(yard: Yard) -> None:
    registry = FakeRegistry()
    fill(registry, "shop/a", "shop/b")
    await yard.crawl(registry)
    del registry.tags_by_repository["shop/a"]

    await yard.crawl(registry)

    assert states(yard) == {"shop/a": "deleted", "shop/b": "ok"}


async def test_a_catalog_that_broke_off_agrees_with_nothing(yard: Yard) -> None:
    registry = FakeRegistry()
    fill(registry, "shop/a", "shop/b")
    await yard.crawl(registry)
    del registry.tags_by_repository["shop/a"]
    registry.breaks["repositories", "#0"] = RegistryError("500", code="registry_error")

    await yard.crawl(registry)

    assert states(yard)["shop/a"] == "missing"


async def test_a_catalog_alone_removes_nothing(yard: Yard) -> None:
    registry = PhantomRegistry()
    fill(registry, "shop/a", "shop/b")
    await yard.crawl(registry)

    class Forgetful(PhantomRegistry):
        async def repositories(self) -> AsyncIterator[RepositoryListing]:
            yield RepositoryListing(("shop/b",))

    half = Forgetful(tags_by_repository=registry.tags_by_repository)
    half.manifests, half.blobs = registry.manifests, registry.blobs
    await yard.crawl(half)

    assert states(yard) == {"shop/a": "ok", "shop/b": "ok"}


async def test_a_name_that_no_catalog_lists_is_not_gone_by_one_answer(
    yard: Yard,
) -> None:
    """In the configuration by its whole name, or hidden from our credentials."""
    registry = PrivateRegistry(private="shop/a")
    fill(registry, "shop/a", "shop/b")
    always = Scope(always=("shop/a",))
    await yard.crawl(registry, always)
    kept = registry.tags_by_repository.pop("shop/a")

    await yard.crawl(registry, always)
    assert states(yard)["shop/a"] == "missing"
    await yard.crawl(registry)
    assert states(yard)["shop/a"] == "missing"
    registry.tags_by_repository["shop/a"] = kept
    await yard.crawl(registry)

    assert states(yard) == {"shop/a": "ok", "shop/b": "ok"}
    assert yard.tags("shop/a")["1"].deleted_at is None


async def test_a_name_that_no_catalog_lists_is_gone_after_three_crawls_over_a_day(
    yard: Yard,
) -> None:
    registry = PrivateRegistry(private="shop/a")
    fill(registry, "shop/a", "shop/b")
    always = Scope(always=("shop/a",))
    await yard.crawl(registry, always)
    del registry.tags_by_repository["shop/a"]
    await yard.crawl(registry, always)
    await yard.crawl(registry, always)
    yard.now += DAY

    await yard.crawl(registry, always)

    assert states(yard)["shop/a"] == "deleted"


async def test_a_name_of_the_configuration_that_was_listed_is_gone_at_once(
    yard: Yard,
) -> None:
    registry = FakeRegistry()
    fill(registry, "shop/a", "shop/b")
    always = Scope(always=("shop/a",))
    await yard.crawl(registry, always)
    del registry.tags_by_repository["shop/a"]

    await yard.crawl(registry, always)

    assert states(yard)["shop/a"] == "deleted"


async def test_it_is_gone_at_once_however_late_it_answers(yard: Yard) -> None:
    registry = LateRegistry()
    fill(registry, "shop/a", "shop/b")
    always = Scope(always=("shop/a",))
    await yard.crawl(registry, always)
    del registry.tags_by_repository["shop/a"]
    registry.is_read.clear()

    await yard.crawl(registry, always)

    assert states(yard)["shop/a"] == "deleted"


async def test_f09_repositories_that_are_not_looked_at_make_no_loss_smaller(
    yard: Yard,
) -> None:
    lost = [f"shop/r{n:02}" for n in range(MASS + 1)]
    registry = FakeRegistry()
    fill(registry, *lost, "shop/left", *(f"old/r{n:02}" for n in range(2 * MASS)))
    await yard.crawl(registry)
    for name in lost:
        del registry.tags_by_repository[name]
    shop = Scope(wants_repository=lambda name: name.startswith("shop/"))

    done = await yard.crawl(registry, shop)

    assert held(yard) == done.held == MASS + 1
    assert "deleted" not in states(yard).values()
    await yard.crawl(registry, shop)
    assert list(states(yard).values()).count("deleted") == MASS + 1


async def test_what_is_not_looked_at_any_more_is_not_buried(yard: Yard) -> None:
    registry = PhantomRegistry()
    fill(registry, "old/a", "shop/b")
    await yard.crawl(registry)
    del registry.tags_by_repository["old/a"]
    registry.phantoms = ("old/a",)
    await yard.crawl(registry)
    registry.phantoms = ()

    await yard.crawl(registry, Scope(only=("shop/b",)))
    shop = Scope(wants_repository=lambda name: name.startswith("shop/"))
    await yard.crawl(registry, shop)
    assert states(yard)["old/a"] == "missing"

    await yard.crawl(registry)
    assert states(yard)["old/a"] == "deleted"


async def test_f09_half_a_registry_that_vanishes_waits_for_a_second_look(
    yard: Yard,
) -> None:
    names = [f"shop/r{n:02}" for n in range(2 * MASS)]
    registry = FakeRegistry()
    fill(registry, *names)
    await yard.crawl(registry)
    for name in names[: MASS + 1]:
        del registry.tags_by_repository[name]

    done = await yard.crawl(registry)

    assert held(yard) == done.held == MASS + 1
    assert "deleted" not in states(yard).values()
    assert "removals_held" in [fault.code for fault in done.faults]

    await yard.crawl(registry)

    assert held(yard) == 0
    assert list(states(yard).values()).count("deleted") == MASS + 1


async def test_what_comes_back_before_the_second_look_was_never_gone(
    yard: Yard,
) -> None:
    names = [f"shop/r{n:02}" for n in range(2 * MASS)]
    registry = FakeRegistry()
    fill(registry, *names)
    await yard.crawl(registry)
    kept = dict(registry.tags_by_repository)
    for name in names[: MASS + 1]:
        del registry.tags_by_repository[name]
    await yard.crawl(registry)
    registry.tags_by_repository = kept

    await yard.crawl(registry)

    assert set(states(yard).values()) == {"ok"}
    assert held(yard) == 0


async def test_a_repository_that_returns_has_its_history(yard: Yard) -> None:
    registry = FakeRegistry()
    fill(registry, "shop/a", "shop/b")
    await yard.crawl(registry)
    tags = registry.tags_by_repository.pop("shop/a")
    await yard.crawl(registry)
    registry.tags_by_repository["shop/a"] = tags

    await yard.crawl(registry)

    assert states(yard)["shop/a"] == "ok"
    tag = yard.tags("shop/a")["1"]
    assert tag.deleted_at is None
    assert tag.first_seen_at < yard.now - timedelta(hours=2)
    assert yard.repository("shop/a").tags == 1


async def test_a_gone_repository_that_the_catalog_still_lists_stays_gone(
    yard: Yard,
) -> None:
    registry = PhantomRegistry()
    fill(registry, "shop/a", "shop/b")
    await yard.crawl(registry)
    del registry.tags_by_repository["shop/a"]
    await yard.crawl(registry)
    assert states(yard)["shop/a"] == "deleted"
    registry.phantoms = ("shop/a",)

    await yard.crawl(registry)

    assert states(yard)["shop/a"] == "deleted"
