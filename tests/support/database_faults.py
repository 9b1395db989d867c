"""Databases that go wrong beneath a crawl, and what must be true afterwards."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from support.database_dump import Dump, assert_same, dump_of_url, rows_of
from support.replica.process import Replica
from weighbridge.bootstrap.engine.assembly import crawl_targets, utc_now
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.bootstrap.registries.targets import find_targets
from weighbridge.config import load_settings
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl
from weighbridge.errors import StoreError
from weighbridge.store.maintenance.checking.verify import verify
from weighbridge.store.session import Connection, Database, open_database
from weighbridge.telemetry import Telemetry


def write_errors(telemetry: Telemetry) -> float:
    """What a scrape says of writes that went wrong."""
    value = telemetry.registry.get_sample_value("weighbridge_db_write_errors_total")
    assert value is not None
    return value


def crawl(
    replica: Replica,
    database: Database,
    telemetry: Telemetry | None = None,
    *,
    later: timedelta = timedelta(),
) -> RegistryCrawl:
    """One crawl in this process that measures nothing.

    later: by a clock that is so far ahead
    """
    settings = load_settings(None, {}, KINDS)
    report = asyncio.run(
        crawl_targets(
            settings,
            find_targets(settings, [replica.address]),
            database,
            telemetry or Telemetry(),
            Progress(),
            measure=False,
            clock=lambda: utc_now() + later,
        )
    )
    (done,) = report.registries
    return done


class LostCommits(Database):
    """Keeps every second transaction and says that the server went away meanwhile:
    nobody can tell whether a commit without an answer was made.

    lost: how often it did so
    """

    def __init__(self, database: Database) -> None:
        self.lost = 0
        self._database = database
        self._calls = 0
        self._lock = threading.Lock()

    @property
    def settles_at_once(self) -> bool:
        return self._database.settles_at_once

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self._database.read() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        with self._database.write() as connection:
            yield connection
        with self._lock:
            self._calls += 1
            is_lost = self._calls % 2 == 1
            self.lost += is_lost
        if is_lost:
            raise StoreError("lost", code="database_unavailable", retryable=True)


def assert_sound(url: str) -> None:
    """The file is whole, and everything that is kept agrees."""
    database = open_database(url)
    try:
        if url.startswith("sqlite"):
            assert integrity(database) == "ok"
        found = [*verify(database, {}, utc_now(), lambda *_: None)]
    finally:
        database.close()
    assert found == [], found


def integrity(database: Database) -> str:
    """What SQLite says of its file."""
    with database.read() as connection:
        return str(connection.exec_driver_sql("PRAGMA integrity_check").scalar())


def assert_ended_as(clean: Dump, url: str) -> None:
    """Sound, and what a crawl without trouble makes."""
    assert_sound(url)
    assert_same(clean, dump_of_url(url))


def assert_no_partial_image(clean: Dump, url: str) -> int:
    """Every image that is kept has all its layers and lines; how many there are."""
    found = dump_of_url(url)
    images = rows_of(found, "images")
    for table in ("images", "layers", "lines"):
        wanted = {
            name: row
            for name, row in rows_of(clean, table).items()
            if name.split()[0] in images
        }
        assert_same(wanted, rows_of(found, table))
    return len(images)
