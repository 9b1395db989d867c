"""A crawl into a disk that is nearly full, until somebody makes room."""

from collections.abc import Callable
from typing import Final

import httpx

from support.database_faults import write_errors
from support.faulty_crawls import NAME, embedded
from support.replica.process import Replica
from support.serving import PLAIN
from support.wait import wait_in_thread
from support.web_app import create_app
from support.web_service import served
from weighbridge.config import RegistrySettings
from weighbridge.errors import StoreError
from weighbridge.store.reports.inventory import registry_reports
from weighbridge.store.session import Database, open_database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions

_OF_THE_INVENTORY: Final = ("/metrics", "/metrics/repositories", "/healthz")
_OF_THE_DATABASE: Final = ("/", "/api/v1/repositories", "/readyz")

_LEFT: Final = """
SELECT (SELECT count(*) FROM repositories
        WHERE last_crawl_at IS NULL OR lease_until IS NOT NULL)
    + (SELECT count(*) FROM repository_summaries WHERE is_unmeasured OR is_stale)
    + (SELECT count(*) FROM jobs WHERE lease_until IS NOT NULL)
    + (SELECT count(*) FROM blob_changes)
"""


def crawl_into_a_full_disk(
    url: str,
    replica: Replica,
    make_room: Callable[[], None],
    *,
    may_end: bool = False,
) -> None:
    """What `up` does: it counts the writes that fail, serves what is there, and comes
    to its end by itself once there is room.

    may_end: whether the database's server may have given up meanwhile
    """
    database, telemetry = open_database(url), Telemetry()
    app = create_app(database, telemetry, WebOptions())
    with (
        embedded(
            database,
            RegistrySettings(name=NAME, url=replica.url),
            telemetry=telemetry,
        ),
        served(app) as address,
        httpx.Client(base_url=address, trust_env=False, verify=PLAIN) as client,
    ):
        assert client.get("/metrics/repositories").status_code == 200
        wait_in_thread(lambda: write_errors(telemetry) > 0, "the disk is full")
        for path in _OF_THE_INVENTORY:
            assert client.get(path).status_code == 200, path
        for path in _OF_THE_DATABASE:
            answer = client.get(path)
            assert answer.status_code == 200 or may_end, (path, answer.text)
            assert answer.status_code in (200, 503), (path, answer.text)
        assert not is_through(database)

        make_room()

        wait_in_thread(lambda: is_through(database), "it catches up")
    database.close()


def is_through(database: Database) -> bool:
    """Whether all of the one registry was crawled and measured; no, where nobody can
    say."""
    try:
        with database.read() as connection:
            left = connection.exec_driver_sql(_LEFT).scalar_one()
            found = registry_reports(connection)
    except StoreError:
        return False
    return bool(found) and found[0].state == "ok" and not left
