"""F24: the PostgreSQL server is stopped at once, in the middle of everything."""

import time
from pathlib import Path

import httpx

from support.database import Engine, a_database_url
from support.database_dump import Dump
from support.database_faults import LostCommits, assert_ended_as, crawl
from support.fake_clock import FakeClock
from support.faulty_crawls import NAME, embedded
from support.full_disks import is_through
from support.killed_crawls import begun_crawl
from support.postgres import Cluster
from support.replica.process import Replica
from support.serving import PLAIN
from support.wait import wait_in_thread
from support.web_app import create_app
from support.web_service import served
from weighbridge.config import RegistrySettings
from weighbridge.store.schema import upgrade
from weighbridge.store.session import Database, open_database
from weighbridge.telemetry import Telemetry
from weighbridge.web.metrics.snapshot import REFRESH_S
from weighbridge.web.options import WebOptions

DOWN_S = 1.0


def test_f24_a_crawl_outlives_a_crash_of_the_server(
    cluster: Cluster, replica: Replica, clean: Dump
) -> None:
    url = cluster.url(cluster.create())
    with begun_crawl(replica, url, "--no-measure") as begun:
        assert begun.wait_for_requests(250), begun.complaints
        cluster.stop_immediately()
        time.sleep(DOWN_S)
        is_waiting = begun.process.poll() is None
        cluster.start()

        said = begun.end()

    assert is_waiting
    assert said["errors"] == []
    assert_ended_as(clean, url)


def test_f24_a_commit_whose_answer_is_lost_is_made_again_without_harm(
    tmp_path: Path, engine: Engine, replica: Replica, clean: Dump
) -> None:
    with a_database_url(tmp_path, engine) as url:
        opened = open_database(url)
        database = LostCommits(opened)

        done = crawl(replica, database)

        opened.close()
        assert database.lost > 5
        assert (done.state, done.faults, done.partial) == ("ok", (), 0)
        assert done.complete == done.repositories == 4
        assert done.resumed_at is None
        assert_ended_as(clean, url)


def test_f24_the_service_says_503_and_keeps_its_last_inventory(
    cluster: Cluster, replica: Replica
) -> None:
    database = migrated(cluster.url(cluster.create()))
    clock = FakeClock()
    app = create_app(database, Telemetry(), WebOptions(), clock=lambda: clock.elapsed)
    crawl(replica, database)
    with (
        served(app) as url,
        httpx.Client(base_url=url, trust_env=False, verify=PLAIN) as client,
    ):
        before = inventory(client)
        assert client.get("/readyz").status_code == 200

        cluster.stop_immediately()
        clock.advance(2 * REFRESH_S)

        api = client.get("/api/v1/repositories")
        ready = client.get("/readyz")
        wait_in_thread(lambda: collect_errors(client) == 1, "the failed look is told")
        assert api.status_code == ready.status_code == 503
        assert int(api.headers["retry-after"]) > 0
        assert api.json()["error"]["code"] == "database_unavailable"
        (reason,) = ready.json()["error"]["detail"]["reasons"]
        assert reason["code"] == "database_unavailable"
        assert client.get("/healthz").status_code == 200
        # With the time at which it was taken.
        assert inventory(client) == before
        assert "weighbridge_exporter_snapshot_timestamp_seconds " in before

        cluster.start()
        clock.advance(2 * REFRESH_S)

        assert client.get("/api/v1/repositories").status_code == 200
        assert client.get("/readyz").status_code == 200
        wait_in_thread(lambda: collect_errors(client) == 0, "it looks again")
    database.close()


def test_f24_up_goes_on_by_itself_once_the_server_is_back(
    cluster: Cluster, replica: Replica, clean_of_up: Dump
) -> None:
    url = cluster.url(cluster.create())
    database = migrated(url)
    registry = RegistrySettings(name=NAME, url=replica.url)
    with embedded(database, registry):
        wait_in_thread(
            lambda: sum(replica.counts().values()) > 200,
            "it crawls",
        )
        cluster.stop_immediately()
        time.sleep(DOWN_S)
        cluster.start()
        wait_in_thread(lambda: is_through(database), "it ends")
    database.close()
    assert_ended_as(clean_of_up, url)


def migrated(url: str) -> Database:
    database = open_database(url)
    upgrade(database)
    return database


def inventory(client: httpx.Client) -> str:
    answer = client.get("/metrics/repositories")
    assert answer.status_code == 200
    return answer.text


def collect_errors(client: httpx.Client) -> float:
    """`/metrics` is answered in any case."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    (line,) = (
        line
        for line in answer.text.splitlines()
        if line.startswith("weighbridge_exporter_collect_errors ")
    )
    return float(line.split()[1])
