"""F26: the disk that holds the database is full, and then has room again."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from sqlite3 import Connection

import pytest
from sqlalchemy import Pool, event

from support.database import a_database_url
from support.database_dump import Dump
from support.database_faults import (
    assert_ended_as,
    assert_sound,
    crawl,
    write_errors,
)
from support.full_disks import crawl_into_a_full_disk
from support.mounts import KIB, MIB, SmallDisk, on_a_small_disk
from support.postgres import a_cluster
from support.replica.process import Replica
from weighbridge.engine.tasks.lease_renewal import LEASE_S
from weighbridge.errors import StoreError
from weighbridge.store.schema import upgrade
from weighbridge.store.session import open_database
from weighbridge.telemetry import Telemetry

ENOUGH = 1_000_000


class PageLimit:
    """Every SQLite file of this process may have so many pages."""

    def __init__(self, pages: int = ENOUGH) -> None:
        self.pages = pages

    def obey(self, connection: Connection, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {self.pages}").close()


@pytest.fixture
def page_limit() -> Iterator[PageLimit]:
    limit = PageLimit()
    event.listen(Pool, "checkout", limit.obey)
    yield limit
    event.remove(Pool, "checkout", limit.obey)


def test_f26_up_reads_on_while_a_small_disk_is_full_and_then_catches_up(
    replica: Replica, clean_of_up: Dump
) -> None:
    def story(disk: SmallDisk) -> None:
        with a_database_url(disk.folder) as url:
            disk.fill(but=600 * KIB)
            crawl_into_a_full_disk(url, replica, disk.make_room)
            assert_ended_as(clean_of_up, url)

    on_a_small_disk(8 * MIB, story)


def test_f26_up_reads_on_while_the_server_s_disk_is_full_and_then_catches_up(
    replica: Replica, clean_of_up: Dump
) -> None:
    def story(disk: SmallDisk) -> None:
        with a_cluster() as cluster:
            space = cluster.create_tablespace(disk.folder / "space")
            url = cluster.url(cluster.create(tablespace=space))
            database = open_database(url)
            upgrade(database)
            database.close()
            disk.fill(but=200 * KIB)
            crawl_into_a_full_disk(url, replica, disk.make_room)
            assert_ended_as(clean_of_up, url)

    on_a_small_disk(24 * MIB, story)


def test_f26_a_crawl_that_fills_the_disk_says_so_and_a_later_one_goes_on(
    tmp_path: Path, replica: Replica, clean: Dump, page_limit: PageLimit
) -> None:
    with a_database_url(tmp_path) as url:
        database = open_database(url)
        telemetry = Telemetry()
        page_limit.pages = (tmp_path / "weighbridge.db").stat().st_size // 4096 + 60

        with pytest.raises(StoreError) as caught:
            crawl(replica, database, telemetry)

        assert (caught.value.code, caught.value.retryable) == ("disk_full", True)
        assert write_errors(telemetry) >= 1
        assert_sound(url)

        page_limit.pages = ENOUGH
        # The full disk did not even take note that the leases were given back.
        done = crawl(replica, database, later=2 * timedelta(seconds=LEASE_S))

        database.close()
        assert (done.state, done.faults) == ("ok", ())
        assert_ended_as(clean, url)
