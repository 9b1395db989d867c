"""How PostgreSQL finds rows in tables that nobody has counted yet."""

import pytest

from support.images import a_layer, an_image
from support.store_world import World
from weighbridge.store.dialect import listed
from weighbridge.store.ledger.holdings import HELD
from weighbridge.store.session import Database

pytestmark = pytest.mark.only_on("postgresql")


def test_what_a_repository_holds_of_a_blob_is_found_by_the_whole_key(
    database: Database,
) -> None:
    """As a join it read, for each blob, all that the repository holds: a first crawl of
    a large repository took the square of its tags."""
    world = World(database)
    layers = [a_layer(f"layer {number}") for number in range(300)]
    world.look({f"v{n}": an_image(layers[n : n + 8]) for n in range(0, 290)})
    parameters = {
        "scope": 1,
        "repository": world.repository_id,
        "ids": listed(list(range(1, 200))),
    }

    with database.read() as connection:
        statement = HELD.statement.compile(connection)
        plan = connection.exec_driver_sql(
            f"EXPLAIN {statement}", statement.construct_params(parameters)
        )
        lines = [line for (line,) in plan]

    keys = [line for line in lines if "Index Cond" in line and "repository_id" in line]
    assert len(keys) == 1
    assert all(name in keys[0] for name in ("scope_id", "blob_id", "repository_id"))
