"""F26: the disk that holds the database is full, and then has room again."""

from collections.abc import Callable, Iterator
from pathlib import Path
from sqlite3 import Connection

import httpx
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
from support.faulty_crawls import NAME, embedded
from support.mounts import KIB, MIB, SmallDisk, on_a_small_disk
from support.postgres import a_cluster
from support.replica.process import Replica
from support.wait import wait_in_thread
from support.web_service import served
from weighbridge.config import RegistrySettings
from weighbridge.errors import StoreError
from weighbridge.store.reports import registry_reports
from weighbridge.store.schema import upgrade
from weighbridge.store.session import Database, open_database
from weighbridge.telemetry import Telemetry
from weighbridge.web.app import create_app
from weighbridge.web.options import WebOptions

ENOUGH = 1_000_000
PATHS = ("/metrics", "/metrics/repositories", "/api/v1/repositories", "/readyz")


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


def test_f26_up_reads_on_where_the_file_may_not_grow_and_then_catches_up(
    tmp_path: Path, replica: Replica, clean_of_up: Dump, page_limit: PageLimit
) -> None:
    with a_database_url(tmp_path) as url:
        page_limit.pages = (tmp_path / "weighbridge.db").stat().st_size // 4096 + 60

        def make_room() -> None:
            page_limit.pages = ENOUGH

        fill_and_make_room(url, replica, make_room)
        assert_ended_as(clean_of_up, url)


def test_f26_up_reads_on_while_a_small_disk_is_full_and_then_catches_up(
    replica: Replica, clean_of_up: Dump
) -> None:
    def story(disk: SmallDisk) -> None:
        with a_database_url(disk.folder) as url:
            disk.fill(but=600 * KIB)
            fill_and_make_room(url, replica, disk.make_room)
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
            fill_and_make_room(url, replica, disk.make_room)
            assert_ended_as(clean_of_up, url)

    on_a_small_disk(24 * MIB, story)


def test_f26_a_crawl_that_fills_the_disk_says_so(
    tmp_path: Path, replica: Replica, page_limit: PageLimit
) -> None:
    with a_database_url(tmp_path) as url:
        database = open_database(url)
        telemetry = Telemetry()
        page_limit.pages = (tmp_path / "weighbridge.db").stat().st_size // 4096 + 60

        with pytest.raises(StoreError) as caught:
            crawl(replica, database, telemetry)

        database.close()
        assert (caught.value.code, caught.value.retryable) == ("disk_full", True)
        assert write_errors(telemetry) >= 1
        assert_sound(url)


def fill_and_make_room(
    url: str, replica: Replica, make_room: Callable[[], None]
) -> None:
    """What `up` does crawls into a disk that is nearly full, until there is room."""
    database, telemetry = open_database(url), Telemetry()
    registry = RegistrySettings(name=NAME, url=replica.url)
    app = create_app(database, telemetry, WebOptions())
    with (
        embedded(database, registry, telemetry=telemetry),
        served(app) as address,
        httpx.Client(base_url=address, trust_env=False) as client,
    ):
        wait_in_thread(
            lambda: write_errors(telemetry) > 0, "the disk is full", deadline_s=20
        )
        for path in PATHS:
            answer = client.get(path)
            assert answer.status_code == 200, answer.text
        assert state_of(database) != "ok"

        make_room()

        wait_in_thread(
            lambda: state_of(database) == "ok", "it catches up", deadline_s=30
        )
    database.close()


def state_of(database: Database) -> str:
    with database.read() as connection:
        found = registry_reports(connection)
    return found[0].state if found else ""
