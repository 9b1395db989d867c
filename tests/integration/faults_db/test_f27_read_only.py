"""F27: the database can be read and not written."""

import subprocess
import sys

import httpx
import pytest

from support.database import a_database_url
from support.database_dump import Dump
from support.database_faults import assert_ended_as, crawl
from support.faulty_crawls import NAME, embedded
from support.mounts import MIB, SmallDisk, on_a_small_disk
from support.postgres import Cluster
from support.replica.process import Replica
from support.serving import PLAIN
from support.web_app import create_app
from support.web_service import served
from weighbridge.config import RegistrySettings
from weighbridge.store.schema import upgrade
from weighbridge.store.session import open_database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions

PATHS = ("/", "/metrics", "/metrics/repositories", "/api/v1/repositories", "/healthz")


@pytest.mark.parametrize("what", ["disk", "file"])
def test_f27_a_file_that_cannot_be_written_is_read_and_told(
    replica: Replica, clean: Dump, what: str
) -> None:
    def story(disk: SmallDisk) -> None:
        with a_database_url(disk.folder) as url:
            crawl_once(url, replica)
            if what == "disk":
                disk.freeze()
            else:
                disk.freeze_file(disk.folder / "weighbridge.db")

            assert_reads_are_served(url, replica)
            assert_a_crawl_says_so(url, replica, "check the rights of its file")
            assert_ended_as(clean, url)

    on_a_small_disk(16 * MIB, story)


def test_f27_a_server_that_takes_no_writes_is_read_and_told(
    cluster: Cluster, replica: Replica, clean: Dump
) -> None:
    name = cluster.create()
    url = cluster.url(name)
    crawl_once(url, replica)
    cluster.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")

    assert_reads_are_served(url, replica)
    assert_a_crawl_says_so(url, replica, "a standby, or set so")

    cluster.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = off")
    assert_ended_as(clean, url)


def crawl_once(url: str, replica: Replica) -> None:
    database = open_database(url)
    upgrade(database)
    crawl(replica, database)
    database.close()


def assert_reads_are_served(url: str, replica: Replica) -> None:
    """By what `up` does: it begins all the same, and is not ready."""
    database = open_database(url)
    app = create_app(database, Telemetry(), WebOptions())
    with (
        embedded(database, RegistrySettings(name=NAME, url=replica.url)),
        served(app) as address,
        httpx.Client(base_url=address, trust_env=False, verify=PLAIN) as client,
    ):
        for path in PATHS:
            answer = client.get(path)
            assert answer.status_code == 200, (path, answer.text)
        assert client.get("/api/v1/registries").json()["items"][0]["tags"] == 400
        ready = client.get("/readyz")
    database.close()
    assert ready.status_code == 503
    (reason,) = ready.json()["error"]["detail"]["reasons"]
    assert reason["code"] == "read_only"
    assert reason["message"]


def assert_a_crawl_says_so(url: str, replica: Replica, words: str) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "weighbridge", "crawl", replica.address),
            *("--database", url, "-o", "json"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert done.stdout == ""
    assert "[read_only]" in done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
