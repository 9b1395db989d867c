"""F25: another process keeps the SQLite file locked."""

import time
from pathlib import Path

import httpx

from support.database import a_database_url
from support.database_dump import Dump
from support.database_faults import InThread, assert_ended_as, locked
from support.replica.process import Replica
from support.web_service import served
from weighbridge.store.session import open_database
from weighbridge.telemetry import Telemetry
from weighbridge.web.app import create_app
from weighbridge.web.options import WebOptions

LOCKED_S = 7.0
"""Longer than SQLite itself waits."""
PATHS = ("/metrics", "/metrics/repositories", "/api/v1/repositories", "/readyz")


def test_f25_a_lock_stops_writers_and_no_reader(
    tmp_path: Path, replica: Replica, clean: Dump
) -> None:
    with a_database_url(tmp_path) as url:
        stay_locked(url, replica, LOCKED_S)
        assert_ended_as(clean, url)


def stay_locked(url: str, replica: Replica, seconds: float) -> None:
    """A crawl begins at a locked file, and readers read, until it ends."""
    database = open_database(url)
    crawling = InThread()
    app = create_app(database, Telemetry(), WebOptions())
    with served(app) as address, httpx.Client(base_url=address) as client:
        with locked(Path(url.removeprefix("sqlite:///"))):
            crawling.begin(replica, database)
            slowest = slowest_look(client, seconds)
            assert crawling.is_running
        done = crawling.end()
    database.close()

    assert slowest < 1.0
    assert crawling.write_errors >= 1
    assert (done.state, done.faults) == ("ok", ())


def slowest_look(client: httpx.Client, seconds: float) -> float:
    """Look again and again; how long the longest answer took."""
    slowest, ends_at = 0.0, time.monotonic() + seconds
    while time.monotonic() < ends_at:
        for path in PATHS:
            began = time.monotonic()
            answer = client.get(path)
            slowest = max(slowest, time.monotonic() - began)
            assert answer.status_code == 200, answer.text
        time.sleep(0.1)
    return slowest
