"""All tables of a database as sorted lines of text, a file each."""

from collections import defaultdict
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Table, select

from load.golden.plain import Plain
from support.database_dump import LEFT_OUT, dump_of
from support.row_names import RowNames
from weighbridge.store.models import SCHEMA
from weighbridge.store.session import Database

_CHANCE: Final = frozenset(
    {
        "id",
        "fence",
        "revision",
        "requests",  # see the folder `costs`
        "bytes_read",
        "lease_owner",
        "event_key",
        "group_key",
        "cause_key",
        "message_key",
        "owner",
    }
)
"""Columns that say who did it and when, or that name another row by its id."""
_NO_MATTER: Final = frozenset({"channel_paces", "jobs", "registry_sums"})
"""Tables of times alone, and sums in as many rows as there were batches: the lists of
the API have these summed up, and `db verify` compares them."""


def write_tables(database: Database, folder: Path, plain: Plain) -> None:
    """What is a fact or a number as `support.database_dump` has it; of all other tables
    each column whose value is no chance."""
    folder.mkdir(parents=True)
    lines: dict[str, list[str]] = defaultdict(list)
    for name, row in dump_of(database).items():
        of, _, key = name.partition(" ")
        if of == "blob_sizes" and row["registry_bytes"] is None:
            continue  # Nobody knows; how often it was asked is chance.
        values = " ".join(f"{c}={plain.value(v)}" for c, v in row.items())
        lines[of].append(f"{key}: {values}")
    with database.read() as connection:
        names = RowNames(connection)
        for table in SCHEMA.sorted_tables:
            if table.name in LEFT_OUT.keys() - _NO_MATTER:
                lines[table.name] = _other_lines(connection, table, names, plain)
    for name in SCHEMA.tables.keys() - _NO_MATTER:
        text = "".join(f"{line}\n" for line in sorted(lines[name]))
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")


def _other_lines(
    connection: Connection, table: Table, names: RowNames, plain: Plain
) -> list[str]:
    kept = [c.name for c in table.columns if c.name not in _CHANCE]
    rows = connection.execute(select(table)).mappings()
    return [
        " ".join(
            f"{column}={plain.value(names.value(table, column, row[column]))}"
            for column in kept
            if not column.endswith("_id") or names.is_named(column)
        )
        for row in rows
    ]
