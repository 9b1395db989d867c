"""How PostgreSQL finds rows in tables that nobody has counted yet."""

from functools import partial
from typing import Final

import pytest
from sqlalchemy import Connection, func, insert, literal, literal_column, select

from support.images import a_layer, an_image, an_index_of
from support.statements import statements_of
from support.store_world import World
from weighbridge.store.leases.claiming import Claim, claim
from weighbridge.store.ledger.holdings import HELD
from weighbridge.store.models import SCHEMA, blob_sizes, manifest_sizes
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.session import Database
from weighbridge.store.tags.applying import Changes, Move, apply_many
from weighbridge.store.tags.judged_tags import OverTag, put_over_tags

pytestmark = pytest.mark.only_on("postgresql")

ROWS: Final = 100_000
FAR: Final = 1_000_000
"""Ids from here on are of rows that only fill the tables."""
LARGE: Final[dict[str, dict[str, str]]] = {
    "blobs": {"id": "n", "digest": "decode(md5(n::text) || md5((-n)::text), 'hex')"},
    "images": {"id": "n"},
    "index_members": {"index_id": "n"},
    "layers": {"image_id": "n"},
    "blob_sizes": {"blob_id": "n"},
    "manifest_sizes": {"manifest_id": "n"},
    "repositories": {"id": "n", "name": "'far/' || n"},
    "repository_summaries": {"repository_id": "n"},
    "tags": {"id": "n", "name": "'tag ' || n"},
    "tag_moves": {"tag_id": "n"},
    "repository_manifests": {"manifest_id": "n"},
    "repository_blobs": {"blob_id": "n"},
    "over_tags": {"tag_id": "n"},
}
"""Tables that are filled with copies of one of their rows, but for these columns."""


def filled(connection: Connection, table: str, others: dict[str, str]) -> None:
    """A hundred thousand copies of its first row, which nobody counts."""
    connection.exec_driver_sql(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
    source = SCHEMA.tables[table]
    one = select(source).limit(1).subquery("one")
    n = (
        func.generate_series(FAR, FAR + ROWS - 1)
        .table_valued("n", name="n")
        .render_derived()
    )
    values = [
        literal_column(others[column.name])
        if column.name in others
        else one.c[column.name]
        for column in source.columns
    ]
    rows = select(*values).select_from(one.join(n, literal(True)))
    connection.execute(insert(source).from_select(list(source.columns), rows))


def claims_of(connection: Connection, world: World, count: int) -> list[Claim]:
    names = [f"small/{number}" for number in range(count)]
    ids = put_repositories(connection, world.registry_id, names, world.now)
    held = [claim(connection, n, now=world.now, lease_s=60) for n in ids.values()]
    return [one for one in held if one is not None]


@pytest.mark.slow
def test_no_statement_of_a_batch_reads_a_table_from_end_to_end(
    database: Database,
) -> None:
    """A list of pairs made a hash of the whole table, in a database of any size."""
    world = World(database)
    images = [an_image([a_layer(f"layer {n}"), a_layer("base")]) for n in range(34)]
    indexes = [an_index_of(*images[n : n + 2]) for n in range(32)]
    targets = [image.digest for image in images[:32]]
    targets += [index.digest for index in indexes]
    world.keep(*images, *indexes)
    world.crawl({"v1": images[0], "v2": indexes[0]})
    over = OverTag(1, 1, "linux/amd64", "max_layers", "p", None, "warning", 1, 1, 2)
    with database.write() as connection:
        put_over_tags(connection, {1: [1]}, [over])
        sizes = {"scope_id": 1, "blob_id": 1, "asked_at": world.now, "attempts": 1}
        connection.execute(insert(blob_sizes), sizes)
        sums = {"scope_id": 1, "manifest_id": 1, "stored_bytes": 1}
        flags = {"is_whole": True, "is_changed": False}
        connection.execute(insert(manifest_sizes), sums | flags)
        for table, others in LARGE.items():
            filled(connection, table, others)
    plans: list[str] = []
    with database.write() as connection:
        large, held = world.claimed(connection), claims_of(connection, world, 64)
        for shift in (0, 1, 2):
            changes = [
                Changes(
                    one,
                    [Move("latest", targets[(n + shift) % 64], None)],
                    (),
                    world.now,
                    is_new=shift == 0,
                )
                for n, one in enumerate(held)
            ]
            # Of the one that has a hundred thousand tags.
            changes.append(Changes(large, (), (), world.now, deleted=[f"v{shift}"]))
            apply = partial(apply_many, connection, changes)
            plans += [
                "\n".join(
                    connection.exec_driver_sql(f"EXPLAIN {one}", values).scalars()
                )
                for one, values in statements_of(connection, apply)
            ]

    read = [plan for plan in plans for name in LARGE if f"Seq Scan on {name}" in plan]
    assert not read, "\n\n".join(read)


def test_what_a_repository_holds_of_a_blob_is_found_by_the_whole_key(
    database: Database,
) -> None:
    """As a join it read, for each blob, all that the repository holds: a first crawl of
    a large repository took the square of its tags."""
    world = World(database)
    layers = [a_layer(f"layer {number}") for number in range(300)]
    world.crawl({f"v{n}": an_image(layers[n : n + 8]) for n in range(0, 290)})
    parameters = {"keys": {(1, world.repository_id): range(1, 200)}}

    with database.read() as connection:
        (asked,) = statements_of(connection, lambda: HELD.read(connection, parameters))
        plan = connection.exec_driver_sql(f"EXPLAIN {asked.text}", asked.values)
        lines = [line for (line,) in plan]

    keys = [line for line in lines if "Index Cond" in line and "repository_id" in line]
    assert len(keys) == 1
    assert all(name in keys[0] for name in ("scope_id", "blob_id", "repository_id"))
