"""Whether the database takes writes is found out by writing."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from starlette.testclient import TestClient

from support.database import Engine, a_database_url
from support.wait import wait_in_thread
from support.web_app import create_app
from weighbridge.store.session import Database, open_database
from weighbridge.telemetry import Telemetry
from weighbridge.web.api.health import DOWN_AFTER_S, WriteWatch
from weighbridge.web.options import WebOptions

HASTE = 100
"""The watch's seconds go by so much faster than ours."""


@pytest.fixture
def url(tmp_path: Path, engine: Engine) -> Iterator[str]:
    with a_database_url(tmp_path, engine) as made:
        yield made


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = open_database(url)
    yield opened
    opened.close()


def utc_now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def watching(
    database: Database, clock: Callable[[], float] = lambda: time.monotonic() * HASTE
) -> Iterator[WriteWatch]:
    watch = WriteWatch(database, utc_now, clock)
    stop = threading.Event()
    thread = threading.Thread(target=watch.watch, args=(stop,))
    thread.start()
    try:
        yield watch
    finally:
        stop.set()
        thread.join()


@contextmanager
def locked_elsewhere(url: str) -> Iterator[None]:
    """Another program has the database for itself, as a backup might."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(make_url(url).database or "")
        connection.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            connection.close()
    else:
        with psycopg.connect(url) as session:
            session.execute("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE")
            yield


def test_a_database_that_takes_writes_is_up(database: Database) -> None:
    watch = WriteWatch(database, utc_now)

    watch.write_once()

    assert watch.is_up


def test_g6_a_database_that_another_program_has_locked_is_down_until_it_lets_go(
    database: Database, url: str
) -> None:
    with watching(database) as watch:
        with locked_elsewhere(url):
            wait_in_thread(lambda: not watch.is_up, "the database is down")
            down = watch.why_down()
        wait_in_thread(lambda: watch.is_up, "the database is up again")

    assert down is not None
    assert (down.code, down.retryable) == ("database_busy", True)


@pytest.mark.only_on("postgresql")
def test_g6_a_server_that_takes_no_writes_any_more_is_down(
    database: Database, url: str
) -> None:
    name = make_url(url).database
    with psycopg.connect(url, autocommit=True) as session:
        session.execute(
            f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'
        )
    database.close()  # what was set holds for new sessions

    with watching(database) as watch:
        wait_in_thread(lambda: not watch.is_up, "the database is down")
        down = watch.why_down()

    assert down is not None
    assert down.code == "read_only"


@pytest.mark.only_on("sqlite")
def test_g6_a_full_disk_is_down(database: Database) -> None:
    class Full:
        """Its only page is taken."""

        @contextmanager
        def write(self) -> Iterator[object]:
            with database.write() as connection:
                connection.execute(text("PRAGMA max_page_count = 1"))
                connection.execute(text("CREATE TABLE big (x)"))
                yield connection

    seconds = [0.0]
    watch = WriteWatch(
        Full(),  # type: ignore[arg-type]  # it has the one method that is used
        utc_now,
        lambda: seconds[0],
    )

    watch.write_once()
    at_first = watch.why_down()
    seconds[0] += DOWN_AFTER_S
    down = watch.why_down()

    assert at_first is None
    assert down is not None
    assert down.code == "disk_full"


def test_g6_a_write_that_does_not_come_back_is_down_by_time_alone(
    database: Database,
) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    class Hanging:
        @contextmanager
        def write(self) -> Iterator[object]:
            begun.set()
            goes_on.wait()
            with database.write() as connection:
                yield connection

    seconds = [0.0]
    watch = WriteWatch(
        Hanging(),  # type: ignore[arg-type]  # it has the one method that is used
        utc_now,
        lambda: seconds[0],
    )
    thread = threading.Thread(target=watch.write_once)
    thread.start()
    begun.wait()

    before = watch.is_up
    seconds[0] += DOWN_AFTER_S
    after = watch.is_up
    goes_on.set()
    thread.join()

    assert (before, after, watch.is_up) == (True, False, True)


@pytest.mark.slow  # takes seconds
def test_g6_the_metric_and_readyz_say_so_while_another_program_has_it(
    database: Database, url: str
) -> None:
    telemetry = Telemetry()
    app = create_app(database, telemetry, WebOptions())

    def is_up() -> object:
        return telemetry.registry.get_sample_value("weighbridge_db_up")

    with TestClient(app, base_url="http://localhost:8080") as client:
        before = (is_up(), client.get("/readyz").status_code)
        with locked_elsewhere(url):
            wait_in_thread(lambda: is_up() == 0, "the metric is 0")
            down = client.get("/readyz")
        wait_in_thread(lambda: is_up() == 1, "the metric is 1 again")
        after = client.get("/readyz").status_code

    assert before == (1, 200)
    assert down.status_code == 503
    (reason,) = down.json()["error"]["detail"]["reasons"]
    assert reason["code"] == "database_busy"
    assert after == 200
