"""A SQLite file that another process keeps locked, while a crawl wants to write."""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from support.database_faults import crawl, write_errors
from support.replica.process import Replica
from support.serving import PLAIN
from support.web_app import create_app
from support.web_service import served
from weighbridge.store.session import open_database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions

_PATHS: Final = (
    "/metrics",
    "/metrics/repositories",
    "/api/v1/repositories",
    "/readyz",
)
_PATIENCE_S: Final = 60.0
_SQLITE_WAITS_S: Final = 5.0
_LOCK: Final = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process keeps the file locked while the block runs."""
    process = subprocess.Popen(
        [sys.executable, "-c", _LOCK, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            process.kill()


def crawl_locked_out(url: str, replica: Replica, seconds: float) -> None:
    """A crawl begins at a file that is locked for so long, and readers read: each
    answer comes sooner than SQLite gives up, and the crawl ends well after all."""
    database, telemetry = open_database(url), Telemetry()
    app = create_app(database, telemetry, WebOptions())
    with (
        served(app) as address,
        httpx.Client(base_url=address, trust_env=False, verify=PLAIN) as client,
        ThreadPoolExecutor(1) as beside,
    ):
        with locked(Path(url.removeprefix("sqlite:///"))):
            crawling = beside.submit(crawl, replica, database, telemetry)
            slowest = _slowest_answer(client, seconds)
            was_waiting = not crawling.done()
        done = crawling.result(_PATIENCE_S)
    database.close()

    assert was_waiting
    assert slowest < _SQLITE_WAITS_S - 0.5
    assert write_errors(telemetry) >= 1
    assert (done.state, done.faults) == ("ok", ())


def _slowest_answer(client: httpx.Client, seconds: float) -> float:
    """Look again and again; how long the longest look took."""
    slowest, ends_at = 0.0, time.monotonic() + seconds
    while time.monotonic() < ends_at:
        for path in _PATHS:
            began = time.monotonic()
            answer = client.get(path)
            slowest = max(slowest, time.monotonic() - began)
            assert answer.status_code == 200, answer.text
        time.sleep(0.1)
    return slowest
