"""More than half that is missing at once waits for a second crawl, and is counted."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from support.crawling import Yard
from support.database import Engine, a_database
from support.fake_registry import FakeRegistry
from support.images import a_served_image, some_layers
from support.troubled_registry import PhantomRegistry
from weighbridge.domain.registry.listing import RepositoryListing
from weighbridge.domain.report.inventory import RegistryReport
from weighbridge.engine.context.parts import Scope
from weighbridge.errors import AuthError
from weighbridge.ports.job_names import DISCOVER
from weighbridge.store.leases.jobs import Job, make_due
from weighbridge.store.reports.inventory import registry_reports

# No statement of its own: tests of the store run on both.
pytestmark = [pytest.mark.slow, pytest.mark.long_on("postgresql")]

NAMES = [f"shop/r{n:02}" for n in range(24)]
LOST = NAMES[:21]


@pytest.fixture
def yard(tmp_path: Path, engine: Engine) -> Iterator[Yard]:
    with a_database(tmp_path, engine) as database:
        yield Yard(database)


def a_registry() -> FakeRegistry:
    registry = FakeRegistry()
    for name in NAMES:
        registry.put(name, "1", a_served_image(some_layers(1000, 10, name=name)))
    return registry


def lose(registry: FakeRegistry, names: list[str]) -> None:
    for name in names:
        del registry.tags_by_repository[name]


async def discovered(yard: Yard, registry: FakeRegistry) -> int:
    """The job that lists, of nothing else that is due: how many removals it holds."""
    crawler = yard.crawler(registry)
    async with crawler.running():
        with yard.database.write() as connection:
            make_due(connection, Job(DISCOVER, yard.entry.name), yard.now)
        crawler.pool.put(DISCOVER, yard.entry.name)
        await crawler.is_done()
        return crawler.recorder.facts.held


async def looked_at(yard: Yard, registry: FakeRegistry, names: list[str]) -> None:
    """What workers do that crawl one repository each."""
    for name in names:
        await yard.crawl(registry, Scope(only=(name,)))


def report(yard: Yard) -> RegistryReport:
    with yard.database.read() as connection:
        (found,) = registry_reports(connection)
    return found


async def test_g1_what_a_catalog_lost_is_held_though_each_was_asked_for(
    yard: Yard,
) -> None:
    registry = a_registry()
    await yard.crawl(registry)
    lose(registry, LOST)

    held = await discovered(yard, registry)

    assert held == report(yard).removals_held == 21


async def test_g1_half_of_the_lost_that_were_crawled_before_are_not_removed_yet(
    yard: Yard,
) -> None:
    registry = a_registry()
    await yard.crawl(registry)
    lose(registry, LOST)
    await looked_at(yard, registry, LOST[:12])

    held = await discovered(yard, registry)

    assert held == 21
    assert report(yard).repository_states["missing"] == 21


async def test_g1_a_second_catalog_that_agrees_ends_the_wait(yard: Yard) -> None:
    registry = a_registry()
    await yard.crawl(registry)
    lose(registry, LOST)
    await discovered(yard, registry)
    await looked_at(yard, registry, LOST)

    held = await discovered(yard, registry)

    assert (held, report(yard).removals_held, report(yard).repositories) == (0, 0, 3)


async def test_g1_a_catalog_that_is_whole_again_ends_the_wait(yard: Yard) -> None:
    registry = a_registry()
    await yard.crawl(registry)
    kept = dict(registry.tags_by_repository)
    lose(registry, LOST)
    await discovered(yard, registry)
    registry.tags_by_repository = kept

    held = await discovered(yard, registry)

    assert (held, report(yard).removals_held, report(yard).repositories) == (0, 0, 24)


class PoorCatalog(PhantomRegistry):
    """Lists few of the repositories that are there."""

    async def repositories(self) -> AsyncIterator[RepositoryListing]:
        yield RepositoryListing(tuple(name for name in NAMES if name not in LOST))


def with_poor_catalog(whole: FakeRegistry) -> FakeRegistry:
    poor = PoorCatalog(tags_by_repository=whole.tags_by_repository)
    poor.manifests, poor.blobs = whole.manifests, whole.blobs
    return poor


async def test_g1_what_answers_for_itself_is_not_held_for_a_poor_catalog(
    yard: Yard,
) -> None:
    registry = a_registry()
    await yard.crawl(registry)
    poor = with_poor_catalog(registry)

    held = [(await yard.crawl(poor)).held for _ in range(3)]

    assert held == [0, 0, 0]
    assert report(yard).repositories == 24


async def test_g1_a_poor_catalog_is_not_believed_by_whoever_only_lists(
    yard: Yard,
) -> None:
    registry = a_registry()
    await yard.crawl(registry)
    poor = with_poor_catalog(registry)

    held = [await discovered(yard, poor) for _ in range(3)]

    assert held == [0, 0, 0]
    assert report(yard).repositories == 24


async def test_g1_what_we_may_no_longer_see_is_held_once(yard: Yard) -> None:
    """A role was changed: the catalog leaves them out, and they refuse us."""
    registry = a_registry()
    await yard.crawl(registry)
    lose(registry, LOST)
    for name in LOST:
        registry.breaks["tags", f"{name}#0"] = AuthError("403", code="denied")

    first = await yard.crawl(registry)
    second = await yard.crawl(registry)

    assert (first.held, second.held) == (21, 0)
    assert report(yard).repository_states["unauthorized"] == 21


async def test_g1_a_catalog_of_nothing_is_held_until_it_lists_something(
    yard: Yard,
) -> None:
    registry = a_registry()
    await yard.crawl(registry)
    kept = dict(registry.tags_by_repository)
    lose(registry, NAMES)

    held = [(await yard.crawl(registry)).held for _ in range(3)]
    shown = report(yard).removals_held
    registry.tags_by_repository = kept
    after = (await yard.crawl(registry)).held

    assert (held, shown, after) == ([24, 24, 24], 24, 0)
    assert report(yard).repositories == 24


async def test_g1_more_than_half_of_the_tags_of_a_repository_count_as_well(
    yard: Yard,
) -> None:
    registry = a_registry()
    image = a_served_image(some_layers(1000, 10, name="many"))
    for n in range(20):
        registry.put("shop/r00", f"t{n}", image)
    await yard.crawl(registry)
    kept = dict(registry.tags_by_repository["shop/r00"])
    registry.tags_by_repository["shop/r00"] = {"1": kept["1"]}

    await yard.crawl(registry)
    waiting = report(yard)
    await yard.crawl(registry)

    assert (waiting.removals_held, waiting.repositories_held) == (1, 0)
    assert report(yard).removals_held == 0
    assert yard.repository("shop/r00").tags == 1


async def test_g1_a_crawl_of_one_name_says_nothing_of_what_is_held(yard: Yard) -> None:
    registry = a_registry()
    await yard.crawl(registry)
    lose(registry, LOST)
    await yard.crawl(registry)

    await looked_at(yard, registry, NAMES[21:])

    assert report(yard).removals_held == 21
