"""The snapshot: rendered once a change, at most every 15 s, copied otherwise."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection

from support.images import an_image, some_layers
from support.many_repositories import add_repositories
from support.store_world import World
from weighbridge.domain.series_budget import Budget
from weighbridge.errors import StoreError
from weighbridge.store.session import Database
from weighbridge.web.metrics.snapshot import (
    REFRESH_S,
    SnapshotKeeper,
    checked,
    take_snapshot,
)


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Failing(Database):
    """A database that stops answering."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.is_failing = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        if self.is_failing:
            raise StoreError("the disk is gone", code="io_error")
        with self._database.read() as connection:
            yield connection


class Slow(Database):
    """A database whose readers can be held up."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.entered = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def hold(self) -> None:
        self.entered.clear()
        self.go_on.clear()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self.entered.set()
        assert self.go_on.wait(60)
        with self._database.read() as connection:
            yield connection


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keeper(database: Database, clock: Clock) -> SnapshotKeeper:
    return SnapshotKeeper(database, Budget(), clock=clock, wall=clock)


def series(keeper: SnapshotKeeper) -> str:
    return keeper.current().rendered.plain.decode()


def test_a_change_shows_after_fifteen_seconds_and_not_before(
    world: World, keeper: SnapshotKeeper, clock: Clock
) -> None:
    assert "newest_image_compressed" not in series(keeper)
    world.crawl({"1": an_image(some_layers(4000))})

    clock.now += REFRESH_S - 1
    early = series(keeper)
    clock.now += 1
    late = series(keeper)

    assert "newest_image_compressed" not in early
    assert 'compressed_bytes{registry="hub",repository="acme/app"} 4000\n' in late


def test_nothing_is_rendered_while_nothing_changes(
    world: World, keeper: SnapshotKeeper, clock: Clock
) -> None:
    world.crawl({"1": an_image(some_layers(4000))})
    first = keeper.current()

    clock.now += 3600
    second = keeper.current()

    assert second.body is first.body
    assert second.checked_at == first.checked_at + 3600
    assert b"snapshot_timestamp_seconds 4600\n" in second.rendered.plain


def test_a_vanished_repository_vanishes(
    world: World, keeper: SnapshotKeeper, clock: Clock
) -> None:
    world.crawl({"1": an_image(some_layers(4000))})
    keeper.current()
    world.crawl(deleted=["1"])

    clock.now += REFRESH_S

    assert "newest_image_compressed" not in series(keeper)


def test_while_a_thread_watches_no_scrape_reads_the_database(
    world: World, database: Database, clock: Clock
) -> None:
    slow = Slow(database)
    keeper = SnapshotKeeper(slow, Budget(), clock=clock, wall=clock)
    before = keeper.current()
    stop = threading.Event()
    slow.hold()
    watching = threading.Thread(target=keeper.watch, args=(stop, 0.001))
    watching.start()

    world.crawl({"1": an_image(some_layers(4000))})
    clock.now += REFRESH_S
    assert slow.entered.wait(60)
    meanwhile = keeper.current()
    slow.go_on.set()
    stop.set()
    watching.join(60)

    assert meanwhile is before
    assert b"newest_image_compressed" in keeper.current().rendered.plain


def test_a_thread_that_nobody_has_asked_yet_ends_as_soon_as_it_is_told(
    keeper: SnapshotKeeper,
) -> None:
    stop = threading.Event()
    watching = threading.Thread(target=keeper.watch, args=(stop, 600), daemon=True)
    watching.start()

    stop.set()
    keeper.wake()
    watching.join(60)

    assert not watching.is_alive()


def test_both_codings_hold_the_same(database: Database) -> None:
    add_repositories(database, ["a/b", "c/d"])

    with database.read() as connection:
        snapshot = take_snapshot(connection, Budget(), 0)
    rendered = checked(snapshot, 7, Budget()).rendered

    lines = rendered.plain.decode().splitlines()
    samples = [line for line in lines if not line.startswith("#")]
    about = [line for line in samples if line.startswith("weighbridge_exporter_")]
    assert gzip.decompress(rendered.zipped) == rendered.plain
    assert f"weighbridge_exporter_series {len(samples) - len(about)}" in about


def test_one_registry_has_its_own_series_only(database: Database) -> None:
    add_repositories(database, ["a/b"], "hub")
    add_repositories(database, ["c/d"], "quay")

    with database.read() as connection:
        snapshot = take_snapshot(connection, Budget(), 0)

    part = snapshot.of_registry("quay")
    assert part is not None
    assert b'repository="c/d"' in part.plain
    assert b"hub" not in part.plain
    assert gzip.decompress(part.zipped) == part.plain
    assert snapshot.of_registry("elsewhere") is None


def test_old_numbers_are_served_while_the_database_fails(
    world: World, database: Database, clock: Clock
) -> None:
    failing = Failing(database)
    keeper = SnapshotKeeper(failing, Budget(), clock=clock, wall=clock)
    world.crawl({"1": an_image(some_layers(4000))})
    before = keeper.current()

    failing.is_failing = True
    clock.now += REFRESH_S
    during = keeper.current()

    assert during is before
    assert keeper.failed


def test_a_failure_without_any_numbers_is_raised(
    database: Database, clock: Clock
) -> None:
    failing = Failing(database)
    failing.is_failing = True
    keeper = SnapshotKeeper(failing, Budget(), clock=clock, wall=clock)

    with pytest.raises(StoreError):
        keeper.current()


def test_a_scrape_does_not_wait_for_another_ones_rendering(
    world: World, database: Database, clock: Clock
) -> None:
    slow = Slow(database)
    keeper = SnapshotKeeper(slow, Budget(), clock=clock, wall=clock)
    before = keeper.current()
    world.crawl({"1": an_image(some_layers(4000))})
    clock.now += REFRESH_S

    slow.hold()
    rendering = threading.Thread(target=keeper.current)
    rendering.start()
    assert slow.entered.wait(60)
    meanwhile = keeper.current()
    slow.go_on.set()
    rendering.join(60)

    assert meanwhile is before
    assert keeper.current().version != before.version
