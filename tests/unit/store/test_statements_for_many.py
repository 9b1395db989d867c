"""Statements over lists and many rows: they use indexes, and say what was given."""

from collections.abc import Callable

import pytest
from sqlalchemy import ColumnElement, select

from weighbridge.store.dialect import (
    BulkDelete,
    BulkInsert,
    BulkUpdate,
    BulkUpsert,
    Rows,
    among_bytes,
    among_ids,
    among_texts,
    listed,
)
from weighbridge.store.models import blobs, instructions, media_types
from weighbridge.store.session import Database

MANY = 700
"""More than the largest piece of a statement, and no multiple of the others."""


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(
    ("among", "column", "name"),
    [
        (among_bytes, blobs.c.digest, "hashes"),
        (among_ids, blobs.c.id, "ids"),
        (among_texts, media_types.c.text, "names"),
    ],
)
def test_a_list_is_looked_up_in_the_index(
    database: Database,
    among: Callable[..., ColumnElement[bool]],
    column: ColumnElement[object],
    name: str,
) -> None:
    statement = select(column).where(among(column))

    with database.read() as connection:
        text = str(statement.compile(connection))
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", ("[]",)).all()

    table = column.table.name
    assert [row.detail for row in plan if row.detail.startswith(f"SEARCH {table} ")]
    assert not [row.detail for row in plan if row.detail.startswith(f"SCAN {table}")]


def test_many_rows_are_written_changed_put_and_removed(database: Database) -> None:
    new = BulkInsert(instructions, "text_digest", "text")
    changed = BulkUpdate(instructions, key=["text_digest"], values=["text"])
    put = BulkUpsert(instructions, key=["text_digest"], values=["text"])
    gone = BulkDelete(instructions, key=["text_digest"])
    keys = [number.to_bytes(4) for number in range(MANY)]

    with database.write() as connection:
        new.add(connection, [(key, key.hex()) for key in keys])
        new.add(connection, [(keys[0], "not taken")])
        changed.set(connection, [(key, f"changed {key.hex()}") for key in keys[1:]])
        put.add(connection, [(key, "put") for key in [*keys[:1], b"new"]])
        gone.remove(connection, [(key,) for key in keys[3:]])

    with database.read() as connection:
        rows = connection.execute(
            select(instructions.c.text_digest, instructions.c.text)
        )
        assert dict(rows.all()) == {
            keys[0]: "put",
            keys[1]: f"changed {keys[1].hex()}",
            keys[2]: f"changed {keys[2].hex()}",
            b"new": "put",
        }


def test_rows_are_read_as_their_types_say(database: Database) -> None:
    texts = ["plain", 'it\'s "quoted"\n\\', "ünïcode 🐋", "x" * 5_000]
    new = BulkInsert(instructions, "text_digest", "text")
    read = Rows(
        select(
            instructions.c.text_digest,
            instructions.c.text,
            (instructions.c.text == "plain").label("is_plain"),
        ).where(among_bytes(instructions.c.text_digest))
    )
    keys = [bytes([number]) * 32 for number in range(len(texts))]

    with database.write() as connection:
        new.add(connection, list(zip(keys, texts, strict=True)))
        found = read.read(connection, {"hashes": listed([*keys, b"none"])})
        none = read.read(connection, {"hashes": listed([b"none"])})

    assert sorted(found) == [
        (key, text, text == "plain") for key, text in zip(keys, texts, strict=True)
    ]
    assert {type(is_plain) for _, _, is_plain in found} == {bool}
    assert list(none) == []
