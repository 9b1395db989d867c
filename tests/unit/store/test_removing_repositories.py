"""What is removed of a repository, while other processes look at it too."""

import sqlite3
import threading
from collections.abc import Collection

import pytest
from sqlalchemy import Connection, select

from support.images import a_layer, an_image
from support.of_one import open_crawl
from support.store_world import World, a_result
from weighbridge.domain.report.inventory import RepositoryState
from weighbridge.errors import WeighbridgeError
from weighbridge.store.crawls.chunks import CrawlCounts, note_answered
from weighbridge.store.facts.images import keep_documents
from weighbridge.store.leases.claiming import Claim, release
from weighbridge.store.models import repositories
from weighbridge.store.registries.repository_rows import (
    delete_tags,
    forget_if_never_seen,
    is_missing,
    missing_for_good,
    note_listed,
    put_repositories,
)
from weighbridge.store.session import Database
from weighbridge.store.tags.applying import Move, apply_moves, live_tags

IMAGE = an_image([a_layer()])
MISSING = a_result(state="missing", complete=False)


def names(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(select(repositories.c.name)).scalars())


def claimed(world: World) -> Claim:
    with world.database.write() as connection:
        return world.claimed(connection)


def forget(world: World) -> None:
    with world.database.write() as connection:
        forget_if_never_seen(connection, world.repository_id)


def believed(world: World, listed: Collection[str] | None) -> list[str]:
    with world.database.read() as connection:
        found = missing_for_good(connection, world.registry_id, listed, world.now)
        return list(found.values())


def test_a_claimed_repository_is_missing_only_while_nobody_has_found_it(
    world: World,
) -> None:
    answers = []
    for result in (a_result(), MISSING, a_result(state="partial")):
        world.crawl(result=result)
        taken = claimed(world)
        with world.database.write() as connection:
            answers.append(is_missing(connection, taken, world.now))
            release(connection, [taken])

    assert answers == [False, True, False]


def test_a_catalog_agrees_only_about_a_name_that_was_listed_before(
    world: World,
) -> None:
    world.crawl({"1": IMAGE})
    world.crawl(result=MISSING)
    assert believed(world, ["other"]) == []

    with world.database.write() as connection:
        note_listed(connection, world.registry_id, ["acme/app", "nobody/knows"])

    assert believed(world, ["other"]) == ["acme/app"]
    assert believed(world, ["acme/app"]) == []
    assert believed(world, None) == []


def test_a_name_is_noted_as_listed_for_its_own_registry_only(world: World) -> None:
    other = World(world.database, registry="other")
    with world.database.write() as connection:
        put_repositories(connection, world.registry_id, ["acme/web"], world.now)
        note_listed(connection, world.registry_id, ["acme/app"])

    with world.database.read() as connection:
        rows = connection.execute(
            select(repositories.c.id, repositories.c.was_listed)
        ).all()
    assert {row.id for row in rows if row.was_listed} == {world.repository_id}
    assert other.repository_id in {row.id for row in rows}


def test_tags_are_buried_a_thousand_at_a_time_and_each_once(world: World) -> None:
    world.crawl({f"t{n:04}": IMAGE for n in range(2_000)} | {"zz": IMAGE})
    taken = claimed(world)
    steps: list[str | None] = []
    left = []

    after: str | None = ""
    while after is not None:
        with world.database.write() as connection:
            after = delete_tags(connection, taken, world.now, after)
        steps.append(after)
        left.append(live_count(world))

    assert steps == ["t0999", "t1999", None]
    assert left == [1_001, 1, 0]


def live_count(world: World) -> int:
    with world.database.read() as connection:
        return len(live_tags(connection, world.repository_id))


@pytest.mark.only_on("sqlite")
def test_burying_a_thousand_tags_costs_the_same_however_many_there_are(
    world: World,
) -> None:
    world.crawl({f"t{n:05}": IMAGE for n in range(8_000)})
    taken = claimed(world)
    costs = []

    after: str | None = ""
    while after is not None:
        with world.database.write() as connection:
            cost = Instructions(connection)
            after = delete_tags(connection, taken, world.now, after)
            costs.append(cost.stop())
    full = costs[:8]

    assert len(full) == 8
    assert max(full) <= 1.02 * min(full)


class Instructions:
    """Counts instructions of SQLite's machine, by fifties."""

    def __init__(self, connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        self._driver = driver
        self._count = 0
        driver.set_progress_handler(self._note, 50)

    def _note(self) -> int:
        self._count += 1
        return 0

    def stop(self) -> int:
        self._driver.set_progress_handler(None, 0)
        return self._count


def test_a_repository_that_was_never_there_is_forgotten(world: World) -> None:
    world.crawl(result=MISSING)

    forget(world)

    assert names(world.database) == set()


@pytest.mark.parametrize("state", ["ok", "partial"])
def test_a_repository_without_tags_that_was_found_meanwhile_stays(
    world: World, state: RepositoryState
) -> None:
    world.crawl(result=MISSING)
    world.crawl(result=a_result(state=state, complete=False))

    forget(world)

    assert names(world.database) == {"acme/app"}


def test_a_repository_that_another_process_has_claimed_is_not_forgotten(
    world: World,
) -> None:
    world.crawl(result=MISSING)
    taken = claimed(world)

    forget(world)

    with world.database.write() as connection:
        opened = open_crawl(connection, taken, world.now)
    assert not opened.is_resumed


def test_a_repository_whose_crawl_was_cut_off_is_not_forgotten(world: World) -> None:
    world.crawl(result=MISSING)
    taken = claimed(world)
    with world.database.write() as connection:
        opened = open_crawl(connection, taken, world.now)
        note_answered(connection, opened.id, 0, ["1"], CrawlCounts(tags_seen=1))
        release(connection, [taken])

    forget(world)

    assert names(world.database) == {"acme/app"}


def test_a_first_batch_under_way_is_waited_for_and_kept(world: World) -> None:
    """The batch was written, not committed, when the other process forgets."""
    world.crawl(result=MISSING)
    errors: list[WeighbridgeError] = []

    def other() -> None:
        try:
            forget(world)
        except WeighbridgeError as exc:
            errors.append(exc)

    thread = threading.Thread(target=other)
    with world.database.write() as connection:
        taken = world.claimed(connection)
        open_crawl(connection, taken, world.now)
        keep_documents(connection, [IMAGE], {})
        apply_moves(connection, taken, [Move("1", IMAGE.digest, None)], world.now)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
    thread.join()

    assert errors == []
    assert world.tags()["1"].deleted_at is None
