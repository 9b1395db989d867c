"""What is asked of an inventory again and again is found by indexes."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from support.database import Engine, a_database
from support.inventory_queries import (
    CRAWL,
    LISTS,
    PUSH,
    SEARCHES,
    TABLES,
    TICK,
    WALKED,
    Asks,
)
from support.large_inventory import fill
from support.plans import asked_by, read_whole
from support.store_world import T0, an_entry
from weighbridge.store.registries.registry_rows import put_registry
from weighbridge.store.reports.inventory import heaviest_newest_images, newest_images
from weighbridge.store.session import Database

INDEXED = {name: ask for name, ask in LISTS.items() if name not in WALKED}
ASKS = {**TICK, **CRAWL, **PUSH, **INDEXED}
BOUNDED = {name: ask for name, ask in ASKS.items() if name not in SEARCHES}
MOST_STEPS = 40
"""Thousands; of 100 repositories that are written at once, 25."""


@pytest.fixture(scope="module")
def inventory(
    tmp_path_factory: pytest.TempPathFactory, engine: Engine
) -> Iterator[Database]:
    """Not large: `tests/load` has one of a million."""
    with a_database(tmp_path_factory.mktemp("inventory"), engine) as database:
        fill(database, 20_000)
        yield database


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_no_query_reads_a_table_of_the_inventory_as_a_whole(
    inventory: Database, ask: Asks
) -> None:
    asked = asked_by(inventory, ask, is_small=True)

    assert read_whole(asked, TABLES) == []


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("ask", BOUNDED.values(), ids=BOUNDED)
def test_no_query_takes_steps_for_each_repository_of_a_registry(
    inventory: Database, ask: Asks
) -> None:
    """By an index too: one of a registry's repositories is as long as all of them."""
    asked = asked_by(inventory, ask)

    assert [str(one) for one in asked if one.steps >= MOST_STEPS] == []


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(
    "ask",
    [
        lambda connection: list(newest_images(connection, "small")),
        lambda connection: heaviest_newest_images(connection, 1, "small", 10),
    ],
    ids=["newest", "heaviest"],
)
def test_images_of_a_small_registry_cost_nothing_for_those_of_a_large_one(
    inventory: Database, ask: Asks
) -> None:
    with inventory.write() as connection:
        put_registry(connection, an_entry("small"), T0)

    assert [str(one) for one in asked_by(inventory, ask) if one.steps] == []


@pytest.mark.only_on("sqlite")
def test_a_query_that_takes_a_step_for_each_repository_is_told(
    inventory: Database,
) -> None:
    def ask(connection: Connection) -> None:
        statement = "SELECT max(fence) FROM repositories WHERE registry_id = 1"
        connection.exec_driver_sql(statement)

    (one,) = asked_by(inventory, ask)
    assert one.steps >= MOST_STEPS


def test_a_query_that_reads_a_table_as_a_whole_is_told(inventory: Database) -> None:
    def ask(connection: Connection) -> None:
        connection.exec_driver_sql("SELECT count(*) FROM tags WHERE pushed_at > 5")

    assert len(read_whole(asked_by(inventory, ask, is_small=True), TABLES)) == 1
