"""F41: a server that stands still, or ends sessions, beneath single calls."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import pytest
from sqlalchemy import Connection, text

from support.database_proxy import database_proxy
from support.postgres import Cluster, a_cluster
from support.wait import wait_in_thread
from weighbridge.errors import StoreError
from weighbridge.store.connection.deadlines import unhurried, within
from weighbridge.store.session import Database, open_database

PASSING = {"database_unavailable", "database_busy"}
END_ALL = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE application_name = 'weighbridge'"
)
AT_WORK = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE application_name = 'weighbridge' AND state = 'active'"
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with a_cluster() as running:
        yield running


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:
    opened = open_database(cluster.url(cluster.create()))
    yield opened
    opened.close()


def one(connection: Connection) -> int:
    found: int = connection.execute(text("SELECT 1")).scalar_one()
    return found


def read_one(database: Database) -> int:
    with database.read() as connection:
        return one(connection)


def test_f41_a_frozen_server_is_waited_for_as_long_as_was_said(
    cluster: Cluster, database: Database
) -> None:
    began = time.monotonic()

    with (
        cluster.frozen(),
        pytest.raises(StoreError) as failed,
        within(1.0),
        database.read() as connection,
    ):
        one(connection)

    assert (failed.value.code, failed.value.retryable) == ("database_unavailable", True)
    assert 1.0 <= time.monotonic() - began < 5.0
    assert read_one(database) == 1


def test_f41_what_is_under_way_when_it_freezes_ends_too(
    cluster: Cluster, database: Database
) -> None:
    def freeze_within() -> None:
        with within(1.0), database.write() as connection:
            one(connection)
            with cluster.frozen():
                one(connection)

    with pytest.raises(StoreError) as failed:
        freeze_within()

    assert failed.value.code == "database_unavailable"
    assert read_one(database) == 1


def test_f41_no_new_connection_is_waited_for_either(cluster: Cluster) -> None:
    url = cluster.url(cluster.create())
    began = time.monotonic()

    with cluster.frozen(), pytest.raises(StoreError) as failed, within(1.0):
        open_database(url)

    assert failed.value.code == "database_unavailable"
    assert time.monotonic() - began < 6.0


def test_f41_a_process_that_is_to_end_waits_for_no_server(
    cluster: Cluster, database: Database
) -> None:
    ended = threading.Event()
    codes = []

    def ask() -> None:
        try:
            read_one(database)
        except StoreError as exc:
            codes.append(exc.code)
        ended.set()

    with cluster.frozen():
        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(0.3)
        database.end_within(0.5)
        has_ended = ended.wait(10)
    thread.join()

    assert has_ended
    assert codes == ["process_ending"]


def test_f41_what_nobody_waits_for_any_more_ends_on_the_server(
    cluster: Cluster, database: Database
) -> None:
    with (
        pytest.raises(StoreError) as failed,
        within(1.0),
        database.read() as connection,
    ):
        connection.execute(text("SELECT pg_sleep(60)"))

    assert failed.value.code == "database_busy"
    wait_in_thread(lambda: cluster.execute(AT_WORK) == "0", "nothing is at work")


def test_f41_only_who_says_so_has_an_hour_for_a_statement(database: Database) -> None:
    def told() -> str:
        with database.read() as connection:
            return str(connection.execute(text("SHOW statement_timeout")).scalar())

    first = told()
    with unhurried():
        then = told()
    with within(5.0):
        hasty = told()

    assert (first, then, hasty, told()) == ("1min", "1h", "5s", "1min")


def test_f24_sessions_that_the_server_has_ended_are_replaced(
    cluster: Cluster, database: Database
) -> None:
    for _ in range(20):
        assert read_one(database) == 1
        cluster.execute(END_ALL)


def test_f41_a_connection_that_breaks_is_no_wrong_url(
    cluster: Cluster, database: Database
) -> None:
    """Ended at any moment of a transaction: before, within, at its commit."""
    codes = set()
    stop = threading.Event()

    def end_all() -> None:
        with cluster.connect() as connection:
            while not stop.is_set():
                connection.execute(END_ALL)

    thread = threading.Thread(target=end_all)
    thread.start()
    try:
        for number in range(300):
            way = database.write if number % 2 else database.read
            try:
                with way() as connection:
                    one(connection)
            except StoreError as exc:
                codes.add(exc.code)
    finally:
        stop.set()
        thread.join()

    assert codes <= PASSING
    assert codes
    assert read_one(database) == 1


def test_f41_a_connection_that_breaks_anywhere_is_no_wrong_url(
    cluster: Cluster,
) -> None:
    """After any number of bytes: while it is made, prepared, tried or used."""
    name = cluster.create()
    codes: Counter[str] = Counter()
    with database_proxy(cluster) as proxy:
        for number in range(200):
            proxy.break_after(2_500 if number % 3 else 900)
            try:
                opened = open_database(proxy.url(name))
            except StoreError as exc:
                codes[exc.code] += 1
                continue
            for _ in range(3):
                with suppress(StoreError):
                    read_one(opened)
                    codes["ok"] += 1
            opened.close()

    assert codes.keys() <= {"ok", "database_unavailable"}
    assert len(codes) == 2


def test_f41_a_way_that_loses_everything_is_given_up_and_works_again_when_healed(
    cluster: Cluster,
) -> None:
    with database_proxy(cluster) as proxy:
        opened = open_database(proxy.url(cluster.create()))
        assert read_one(opened) == 1
        proxy.swallow()

        with pytest.raises(StoreError) as failed, within(1.0):
            read_one(opened)
        proxy.heal()

        assert failed.value.code == "database_unavailable"
        assert read_one(opened) == 1
        opened.close()


@pytest.mark.parametrize("parameter", ["no_such=1", "connect_timeout=soon"])
def test_a_parameter_that_nobody_knows_is_a_wrong_url(
    cluster: Cluster, parameter: str
) -> None:
    url = cluster.url(cluster.create())

    with pytest.raises(StoreError) as failed:
        open_database(f"{url}&{parameter}")

    assert failed.value.code == "invalid_database_url"
