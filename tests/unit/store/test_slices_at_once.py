"""Several who take slices of one registry at once, on PostgreSQL."""

import threading
from collections import Counter

import pytest

from support.store_world import MINUTE, T0, World, a_result
from weighbridge.store.crawls.crawl_rows import Closing, close_many
from weighbridge.store.crawls.due import Slice, open_many, open_slice
from weighbridge.store.dialect import wait_at_most
from weighbridge.store.leases.claiming import Opening
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.session import Database

pytestmark = pytest.mark.only_on("postgresql")

HOUR = 60 * MINUTE


def some_due(database: Database, count: int) -> World:
    world = World(database, repository="r000")
    names = [f"r{number:03}" for number in range(1, count)]
    with database.write() as connection:
        put_repositories(connection, world.registry_id, names, T0)
    return world


def a_slice(world: World, owner: str, most: int = 100) -> Slice:
    return Slice(world.registry_id, T0, 60, f"boot:1.17.99/{owner}", 3600, 1000, most)


def test_two_slices_that_are_opened_at_once_share_nothing_and_do_not_wait(
    database: Database,
) -> None:
    world = some_due(database, 5)

    with database.write() as one, database.write() as other:
        first = open_slice(one, a_slice(world, "one", 2))
        wait_at_most(other, 1)
        second = open_slice(other, a_slice(world, "other"))

    assert [opened.claim.repository for opened in first] == ["r000", "r001"]
    assert [opened.claim.repository for opened in second] == ["r002", "r003", "r004"]


def test_a_slice_is_filled_from_behind_what_another_has_just_taken(
    database: Database,
) -> None:
    world = some_due(database, 5)

    with database.write() as one, database.write() as other:
        open_slice(one, a_slice(world, "one", 2))
        wait_at_most(other, 1)
        second = open_slice(other, a_slice(world, "other", 2))

    assert [opened.claim.repository for opened in second] == ["r002", "r003"]


def test_what_a_batch_has_locked_holds_no_slice_up(database: Database) -> None:
    world = some_due(database, 3)

    with database.write() as one, database.write() as other:
        open_many(one, [Opening(world.repository_id, T0, 60)])
        wait_at_most(other, 1)
        second = open_slice(other, a_slice(world, "other"))

    assert [opened.claim.repository for opened in second] == ["r001", "r002"]


def test_many_who_take_slices_crawl_each_repository_once(database: Database) -> None:
    world = some_due(database, 120)
    crawled: Counter[str] = Counter()
    lock = threading.Lock()

    def work(worker: int) -> None:
        number = 0
        while True:
            number += 1
            with database.write() as connection:
                opened = open_slice(connection, a_slice(world, f"{worker}.{number}", 7))
            if not opened:
                return
            # In the opposite order, as answers come in any.
            closings = [
                Closing(one.claim, one.opened.id, a_result(), T0, T0 + HOUR, False)
                for one in reversed(opened)
            ]
            with database.write() as connection:
                lost = close_many(connection, closings)
            with lock:
                crawled.update(one.claim.repository for one in opened)
            assert lost == [None] * len(opened)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)

    assert not any(worker.is_alive() for worker in workers)
    assert crawled == Counter({f"r{number:03}": 1 for number in range(120)})
