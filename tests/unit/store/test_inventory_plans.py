"""What is asked of an inventory again and again is found by indexes."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from support.database import Engine, a_database
from support.inventory_queries import CRAWL, LISTS, PUSH, TABLES, TICK, Asks
from support.large_inventory import fill
from support.plans import asked_by, read_whole
from weighbridge.store.session import Database

WAITING = ("requests", "what waits of a registry", "why a repository waits")
ASKS = {**TICK, **CRAWL, **PUSH, **{name: LISTS[name] for name in WAITING}}


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


def test_a_query_that_reads_a_table_as_a_whole_is_told(inventory: Database) -> None:
    def ask(connection: Connection) -> None:
        connection.exec_driver_sql("SELECT count(*) FROM tags WHERE pushed_at > 5")

    assert len(read_whole(asked_by(inventory, ask, is_small=True), TABLES)) == 1
