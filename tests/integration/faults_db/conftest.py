"""A registry, what a clean crawl of it comes to, and a server that may be killed."""

from collections.abc import Iterator

import pytest

from support.database import a_database_url
from support.database_dump import Dump, dump_of_url
from support.faulty_crawls import CrawledDatabase
from support.killed_crawls import crawl
from support.postgres import Cluster, a_cluster
from support.replica.fleet import Fleet
from support.replica.process import Replica, fleet_replica

FLEET = Fleet(repositories=4, tags=400, largest=250)


@pytest.fixture(scope="session")
def served_fleet() -> Iterator[Replica]:
    with fleet_replica(FLEET) as served:
        yield served


@pytest.fixture
def replica(served_fleet: Replica, clean: Dump, clean_of_up: Dump) -> Replica:
    """It has not been asked anything yet."""
    served_fleet.reset_counts()
    return served_fleet


@pytest.fixture(scope="session")
def clean(served_fleet: Replica, tmp_path_factory: pytest.TempPathFactory) -> Dump:
    """What a crawl without trouble makes, on either database."""
    with a_database_url(tmp_path_factory.mktemp("clean")) as url:
        crawl(served_fleet, url, "--no-measure")
        return dump_of_url(url)


@pytest.fixture(scope="session")
def clean_of_up(
    served_fleet: Replica, tmp_path_factory: pytest.TempPathFactory
) -> Dump:
    """The same of a configured registry, whose layers are measured too."""
    database = CrawledDatabase(tmp_path_factory.mktemp("clean") / "up.db")
    database.crawl(served_fleet.url)
    return database.dump()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Of the test's own: nobody else minds what becomes of it."""
    with a_cluster() as running:
        yield running
