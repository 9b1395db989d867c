"""What the embedded scheduler takes for due when the process starts."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from support.database import a_database
from support.generated_content import generated_content
from support.of_one import close_crawl, open_crawl, repositories_of
from support.store_world import a_result, an_entry
from support.wait import wait_in_thread
from weighbridge.bootstrap.engine.assembly import Embedded, utc_now
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import RegistrySettings, load_settings
from weighbridge.demo.http.server import RunningDemo
from weighbridge.store.leases.claiming import claim
from weighbridge.store.registries.registry_rows import put_registry
from weighbridge.store.registries.repository_rows import (
    put_repositories,
)
from weighbridge.store.reports.repositories import find_repository
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

NAMES = ("load/r00000", "load/r00001")
BEGINNING = utc_now()
SOON = BEGINNING + timedelta(days=1)
NEVER = BEGINNING + timedelta(days=9999)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with a_database(tmp_path) as opened:
        yield opened


@pytest.fixture
def registry() -> Iterator[RunningDemo]:
    running = RunningDemo(generated_content(repositories=2, tags=3))
    yield running
    running.close()


def looked_at(database: Database, *names: str, ahead: timedelta = timedelta(0)) -> None:
    """A crawl found both repositories and then saw these to their end, just now, by a
    clock that was ahead by so much."""
    now = utc_now() + ahead
    with database.write() as connection:
        registry_id = put_registry(connection, an_entry("hub"), now)
        ids = put_repositories(connection, registry_id, NAMES, now)
        for name in names:
            taken = claim(connection, ids[name], now=now, lease_s=60)
            assert taken is not None
            opened = open_crawl(connection, taken, now).id
            due_at = now + timedelta(hours=1)
            close_crawl(connection, taken, opened, a_result(), now, due_at)


def quota_spent(database: Database, name: str, wait: timedelta) -> None:
    """The last look at it, two hours ago, came to the end of the registry's quota."""
    now = utc_now() - timedelta(hours=2)
    result = a_result(state="partial", reason="quota_spent", complete=False)
    with database.write() as connection:
        registry_id = put_registry(connection, an_entry("hub"), now)
        ids = put_repositories(connection, registry_id, NAMES, now)
        taken = claim(connection, ids[name], now=now, lease_s=60)
        assert taken is not None
        opened = open_crawl(connection, taken, now).id
        close_crawl(connection, taken, opened, result, now, now + wait)


def embedded(
    database: Database,
    registry: RunningDemo,
    *names: str,
    clock: Callable[[], datetime] = utc_now,
    interval_s: int | None = None,
) -> Embedded:
    """It crawls these registries in this order, where they are due. The second has
    an address of its own: two entries of one address may not want the same."""
    urls = (registry.url, registry.url.replace("127.0.0.1", "localhost"))
    registries = tuple(
        RegistrySettings(name=name, url=url, interval=interval_s)
        for name, url in zip(names, urls, strict=False)
    )
    settings = load_settings(None, {}, KINDS).model_copy(
        update={"registries": registries}
    )
    return Embedded(settings, database, Telemetry(), clock=clock)


def fast_clock() -> datetime:
    """Thirty times as fast as the real one."""
    return BEGINNING + (utc_now() - BEGINNING) * 30


def last_crawl(database: Database, name: str, registry: str = "hub") -> datetime | None:
    with database.read() as connection:
        found = find_repository(connection, registry, name)
    return None if found is None else found.last_crawl_at


def test_a_first_crawl_that_was_stopped_goes_on_after_a_restart(
    database: Database, registry: RunningDemo
) -> None:
    looked_at(database, NAMES[0])
    restarted = embedded(database, registry, "hub")

    restarted.start()
    try:
        wait_in_thread(
            lambda: last_crawl(database, NAMES[1]) is not None,
            "the other repository is looked at",
        )
    finally:
        restarted.close()


def test_what_was_looked_at_just_now_is_not_due_after_a_restart(
    database: Database, registry: RunningDemo
) -> None:
    looked_at(database, *NAMES)
    before = last_crawl(database, NAMES[1])
    restarted = embedded(database, registry, "hub", "new")

    restarted.start()
    try:
        wait_in_thread(
            lambda: last_crawl(database, NAMES[1], "new") is not None,
            "the registry behind it is crawled",
        )
    finally:
        restarted.close()

    assert last_crawl(database, NAMES[1]) == before


def test_h1_what_was_looked_at_by_a_clock_that_was_years_ahead_is_due(
    database: Database, registry: RunningDemo
) -> None:
    looked_at(database, *NAMES, ahead=timedelta(days=2000))
    restarted = embedded(database, registry, "hub")

    restarted.start()
    try:
        wait_in_thread(
            lambda: all((last_crawl(database, n) or NEVER) < SOON for n in NAMES),
            "both repositories are looked at",
        )
    finally:
        restarted.close()


def test_h1_a_clock_that_is_put_back_while_it_runs_stops_no_crawls(
    database: Database, registry: RunningDemo
) -> None:
    ahead = [timedelta(days=2000)]

    def clock() -> datetime:
        """A minute a second, from where it was set last."""
        return BEGINNING + ahead[0] + (utc_now() - BEGINNING) * 60

    running = embedded(database, registry, "hub", clock=clock, interval_s=60)

    running.start()
    try:
        wait_in_thread(
            lambda: last_crawl(database, NAMES[1]) is not None, "the first crawl"
        )
        ahead[0] = timedelta(0)
        wait_in_thread(
            lambda: all((last_crawl(database, n) or NEVER) < SOON for n in NAMES),
            "both repositories are looked at by the new time",
        )
    finally:
        running.close()


def test_what_a_killed_process_was_at_is_looked_at_as_soon_as_its_lease_ends(
    database: Database, registry: RunningDemo
) -> None:
    looked_at(database, NAMES[0])
    with database.write() as connection:
        registry_id = put_registry(connection, an_entry("hub"), fast_clock())
        ids = repositories_of(connection, registry_id)
        claim(connection, ids[NAMES[1]], now=fast_clock(), lease_s=60)
    restarted = embedded(database, registry, "hub", clock=fast_clock)

    restarted.start()
    try:
        wait_in_thread(
            lambda: last_crawl(database, NAMES[1]) is not None,
            "the repository is looked at",
        )
    finally:
        restarted.close()


def test_what_waits_for_a_quota_is_left_alone_and_others_are_not(
    database: Database, registry: RunningDemo
) -> None:
    quota_spent(database, NAMES[0], timedelta(hours=6))
    before = last_crawl(database, NAMES[0])
    running = embedded(database, registry, "hub", "behind")

    running.start()
    try:
        wait_in_thread(
            lambda: (
                last_crawl(database, NAMES[1]) is not None
                and last_crawl(database, NAMES[0], "behind") is not None
            ),
            "the other repository and the registry behind it are looked at",
        )
    finally:
        running.close()

    assert last_crawl(database, NAMES[0]) == before


def test_a_quota_that_is_back_by_now_is_asked_for(
    database: Database, registry: RunningDemo
) -> None:
    quota_spent(database, NAMES[0], timedelta(hours=1))
    before = last_crawl(database, NAMES[0])
    running = embedded(database, registry, "hub")

    running.start()
    try:
        wait_in_thread(
            lambda: last_crawl(database, NAMES[0]) != before,
            "the repository is looked at",
        )
    finally:
        running.close()
