"""F09: credentials are revoked in the middle of a crawl, catalogs shrink."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.database import Engine
from support.docker_registry import DockerRegistry, docker_registry
from support.fault_proxy import fault_proxy
from support.faults import error, listing_altered
from support.faulty_crawls import (
    HOUR,
    CrawledDatabase,
    crawled_database,
    watching,
)
from support.images_oci import Pusher
from support.two_moments import TwoMoments, an_image

# What a registry does wrong comes to either database by the same calls; `test_mixtures`
# has all of it on both.
pytestmark = pytest.mark.long_on("postgresql")

MANY = tuple(f"fleet/r{number:02}" for number in range(24))


@pytest.mark.parametrize(("number", "code"), [(401, "UNAUTHORIZED"), (403, "DENIED")])
def test_f09_credentials_revoked_mid_crawl_remove_nothing(
    moments: TwoMoments, database: CrawledDatabase, number: int, code: str
) -> None:
    with fault_proxy(moments.after.url) as proxy:
        proxy.spoil(error(number, code), since=60)

        with watching(database) as watch:
            done = database.crawl(proxy.url)

        assert done.complete == 0
        moments.assert_nothing_removed(watch)
        proxy.heal()
        database.crawl(proxy.url)
    moments.assert_caught_up(database)


@pytest.mark.parametrize(("number", "code"), [(401, "UNAUTHORIZED"), (403, "DENIED")])
def test_f09_a_repository_that_may_not_be_read_is_unauthorized_and_kept(
    moments: TwoMoments, database: CrawledDatabase, number: int, code: str
) -> None:
    with fault_proxy(moments.after.url) as proxy:
        proxy.spoil(error(number, code), target="/shop/app/")

        for _ in range(4):
            database.crawl(proxy.url)
            database.now += 24 * HOUR

    found = database.repository("shop/app")
    assert found is not None
    assert (found.state, found.tags) == ("unauthorized", 30)


def test_f09_everything_refused_is_a_registry_that_is_unauthorized(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    with fault_proxy(moments.after.url) as proxy:
        proxy.spoil(error(401, "UNAUTHORIZED"))

        done = database.crawl(proxy.url)

    assert done.state == "unauthorized"
    assert database.records() == moments.old


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """A registry of two dozen repositories with a tag each."""
    with docker_registry(tmp_path_factory.mktemp("fleet")) as registry:
        with Pusher(registry.url) as pusher:
            for repository in MANY:
                pusher.push(repository, an_image("fleet", "same"), "1")
        yield registry


@pytest.fixture
def crawled(
    fleet: DockerRegistry, tmp_path: Path, engine: Engine
) -> Iterator[CrawledDatabase]:
    """A database, an hour after its first crawl of the fleet."""
    with crawled_database(tmp_path, engine) as database:
        database.crawl(fleet.url)
        database.now += HOUR
        yield database


def live(database: CrawledDatabase) -> set[str]:
    """Repositories with a live tag."""
    return {tag.partition(":")[0] for tag, r in database.records().items() if r}


def test_f09_a_catalog_that_is_half_as_long_removes_nothing(
    fleet: DockerRegistry, crawled: CrawledDatabase
) -> None:
    with fault_proxy(fleet.url) as proxy:
        proxy.spoil(listing_altered(lambda names: names[:8]), kind="catalog")

        for _ in range(4):
            crawled.crawl(proxy.url)
            crawled.now += 24 * HOUR

    # Each of them still answers when it is asked.
    assert live(crawled) == set(MANY)


def test_f09_most_of_a_registry_vanishing_at_once_waits_for_a_second_look(
    fleet: DockerRegistry, crawled: CrawledDatabase
) -> None:
    with fault_proxy(fleet.url) as proxy:
        proxy.spoil(listing_altered(lambda names: names[:8]), kind="catalog")
        lost = "|".join(MANY[8:])
        proxy.spoil(error(404, "NAME_UNKNOWN"), target=f"/({lost})/")

        with watching(crawled) as watch:
            crawled.crawl(proxy.url)

        assert watch.removed(dict.fromkeys(watch.seen, "there")) == set()
        assert live(crawled) == set(MANY)
        crawled.now += HOUR
        crawled.crawl(proxy.url)
    assert live(crawled) == set(MANY[:8])


def test_f09_what_came_back_before_the_second_look_was_never_gone(
    fleet: DockerRegistry, crawled: CrawledDatabase
) -> None:
    before = crawled.dump()
    with fault_proxy(fleet.url) as proxy:
        proxy.spoil(listing_altered(lambda names: names[:8]), kind="catalog")
        lost = "|".join(MANY[8:])
        proxy.spoil(error(404, "NAME_UNKNOWN"), target=f"/({lost})/")
        crawled.crawl(proxy.url)
        proxy.heal()

        crawled.now += HOUR
        crawled.crawl(proxy.url)

    assert crawled.dump() == before
