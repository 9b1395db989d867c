"""The faults of databases in many rounds, at random moments."""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.database import Engine, a_database_url, an_empty_url
from support.database_dump import Dump, dump_of_url
from support.database_faults import (
    assert_ended_as,
    assert_no_partial_image,
    assert_sound,
)
from support.faulty_crawls import CrawledDatabase
from support.full_disks import crawl_into_a_full_disk
from support.killed_crawls import begun_crawl, crawl, kill_crawl
from support.locked_files import crawl_locked_out
from support.migrating import (
    a_waiting_upgrade,
    end_of,
    upgrade_at_once,
)
from support.mounts import MIB, SmallDisk, on_a_small_disk
from support.postgres import a_cluster
from support.replica.fleet import Fleet
from support.replica.process import Replica, fleet_replica
from weighbridge.store.schema import REVISION, check_schema, upgrade
from weighbridge.store.session import open_database

pytestmark = pytest.mark.timeout(1_800)

FLEET = Fleet(repositories=20, tags=3_000, largest=1_500)
STOPS = int(os.environ.get("WEIGHBRIDGE_STOPS", "10"))
LOCKED_S = float(os.environ.get("WEIGHBRIDGE_LOCKED_S", "60"))
MIGRATIONS = int(os.environ.get("WEIGHBRIDGE_MIGRATIONS", "20"))
COPIES = 5
MIGRATION_S = 1.0
KILLS = int(os.environ.get("WEIGHBRIDGE_KILLS", "50"))
KILLS_A_DATABASE = 5
DOWN_S = 1.5


@pytest.fixture(scope="module")
def replica() -> Iterator[Replica]:
    with fleet_replica(FLEET) as served:
        yield served


@pytest.fixture(scope="module")
def clean(replica: Replica, tmp_path_factory: pytest.TempPathFactory) -> Dump:
    """What a crawl without trouble makes, on either database."""
    with a_database_url(tmp_path_factory.mktemp("clean")) as url:
        crawl(replica, url, "--no-measure")
        return dump_of_url(url)


@pytest.fixture(scope="module")
def clean_of_up(replica: Replica, tmp_path_factory: pytest.TempPathFactory) -> Dump:
    """The same of a configured registry, whose layers are measured too."""
    database = CrawledDatabase(tmp_path_factory.mktemp("clean") / "up.db")
    database.crawl(replica.url)
    return database.dump()


@pytest.fixture(scope="module")
def needed(replica: Replica, clean: Dump) -> int:
    """Requests of such a crawl."""
    return sum(replica.reset_counts().values())


def dice(name: str) -> random.Random:
    return random.Random(name)  # noqa: S311 - no secret


def test_f24_ten_crashes_of_the_server_at_random_moments(
    replica: Replica, clean: Dump, needed: int
) -> None:
    chance = dice("f24")
    with a_cluster() as cluster:
        for _ in range(STOPS):
            at = chance.randrange(1, needed)
            name = cluster.create()
            replica.reset_counts()
            with begun_crawl(replica, cluster.url(name), "--no-measure") as begun:
                begun.wait_for_requests(at)
                cluster.stop_immediately()
                time.sleep(chance.random() * DOWN_S)
                cluster.start()

                said = begun.end()

            print(f"stopped at {at} of {needed}")
            assert said["errors"] == []
            assert_ended_as(clean, cluster.url(name))
            cluster.drop(name)


def test_f24_one_crawl_outlives_ten_crashes(
    replica: Replica, clean: Dump, needed: int
) -> None:
    with a_cluster() as cluster:
        url = cluster.url(cluster.create())
        replica.reset_counts()
        with begun_crawl(replica, url, "--no-measure") as begun:
            for number in range(STOPS):
                begun.wait_for_requests(needed * number // STOPS)
                cluster.stop_immediately()
                cluster.start()
            assert begun.end()["errors"] == []

        assert_ended_as(clean, url)


def test_f25_a_minute_of_being_locked_out(
    tmp_path: Path, replica: Replica, clean: Dump
) -> None:
    with a_database_url(tmp_path) as url:
        crawl_locked_out(url, replica, LOCKED_S)
        assert_ended_as(clean, url)


def test_f26_a_server_whose_own_log_has_no_room_is_started_again(
    replica: Replica, clean_of_up: Dump
) -> None:
    """With its data and its write-ahead log on one full disk it may end itself."""

    def story(disk: SmallDisk) -> None:
        folder = disk.folder / "server"
        folder.mkdir()
        with a_cluster("max_wal_size=32MB", folder=folder) as cluster:
            url = cluster.url(cluster.create())
            database = open_database(url)
            upgrade(database)
            database.close()
            disk.fill(but=8 * MIB)

            def make_room() -> None:
                print(f"the server runs: {cluster.is_running}")
                disk.make_room()
                if not cluster.is_running:
                    cluster.start()

            crawl_into_a_full_disk(url, replica, make_room, may_end=True)
            assert_ended_as(clean_of_up, url)

    on_a_small_disk(192 * MIB, story)


def test_f28_five_processes_migrate_at_once_twenty_times(
    tmp_path: Path, engine: Engine
) -> None:
    for number in range(MIGRATIONS):
        folder = tmp_path / str(number)
        folder.mkdir()
        with an_empty_url(folder, engine) as url:
            assert upgrade_at_once(url, COPIES) == [REVISION] * COPIES
            assert_migrated(url)


def test_f28_migrations_killed_at_twenty_moments(
    tmp_path: Path, engine: Engine
) -> None:
    chance = dice("f28")
    for number in range(MIGRATIONS):
        folder = tmp_path / str(number)
        folder.mkdir()
        with an_empty_url(folder, engine) as url:
            with a_waiting_upgrade(url) as first, a_waiting_upgrade(url) as second:
                time.sleep(chance.random() * MIGRATION_S)
                first.kill()
                first.wait()

                assert end_of(second) == REVISION
            assert_migrated(url)


def test_f29_fifty_kills_leave_whole_images_and_right_totals(
    tmp_path: Path, engine: Engine, replica: Replica, clean: Dump, needed: int
) -> None:
    chance = dice(f"f29 {engine}")
    for number in range(KILLS // KILLS_A_DATABASE):
        folder = tmp_path / str(number)
        folder.mkdir()
        with a_database_url(folder, engine) as url:
            images = kill_again_and_again(url, replica, clean, needed, chance)
            print(f"{engine}: after each kill {images} images")

            crawl(replica, url, "--no-measure")
            assert_ended_as(clean, url)


def kill_again_and_again(
    url: str, replica: Replica, clean: Dump, needed: int, chance: random.Random
) -> list[int]:
    """Each crawl goes on where the last one was killed; how many images there were
    after each."""
    images = []
    for _ in range(KILLS_A_DATABASE):
        kill_crawl(
            replica,
            url,
            "--no-measure",
            at=chance.randrange(1, 2 * needed // KILLS_A_DATABASE),
        )
        assert_sound(url)
        images.append(assert_no_partial_image(clean, url))
    return images


def assert_migrated(url: str) -> None:
    database = open_database(url)
    check_schema(database)
    database.close()
    assert_sound(url)
