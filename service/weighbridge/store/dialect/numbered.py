"""Adds many rows whose ids are wanted afterwards."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, func, select

from weighbridge.store.dialect.many_rows import InsertedRows
from weighbridge.store.dialect.names import POSTGRESQL
from weighbridge.store.dialect.prepared import Row
from weighbridge.store.dialect.words import Words


class NumberedRows:
    """An INSERT of many rows whose ids are wanted.

    key: a column that tells the rows of one call apart
    """

    def __init__(self, table: Table, *columns: str, key: str) -> None:
        self._new = _Numbered(table, ["id", *columns])
        self._returned = _Returned(table, columns, key)
        self._key = columns.index(key)
        self._last = select(func.coalesce(func.max(table.c.id), 0))

    def add(self, connection: Connection, rows: Sequence[Row]) -> dict[Any, int]:
        """Insert rows that were not there when they were last looked for in this
        transaction. Returns the ids by key; on PostgreSQL without those that somebody
        else has added meanwhile."""
        if not rows:
            return {}
        if connection.dialect.name == POSTGRESQL:
            return self._returned.add(connection, rows)
        # Nobody else writes: the numbers are ours to give.
        first = connection.execute(self._last).scalar_one() + 1
        ids = range(first, first + len(rows))
        self._new.add(connection, [(n, *row) for n, row in zip(ids, rows, strict=True)])
        return {row[self._key]: n for n, row in zip(ids, rows, strict=True)}


class _Numbered(InsertedRows):
    def add(self, connection: Connection, rows: Sequence[Row]) -> None:
        self._run(connection, rows)

    def _conflict(self, words: Words) -> str:
        return ""


class _Returned(InsertedRows):
    def __init__(self, table: Table, columns: Sequence[str], key: str) -> None:
        super().__init__(table, columns)
        self._key = table.c[key]

    def add(self, connection: Connection, rows: Sequence[Row]) -> dict[Any, int]:
        found = self._run(connection, rows)
        convert = self._key.type.result_processor(connection.dialect, None)
        return {
            key if convert is None else convert(key): number for key, number in found
        }

    def _conflict(self, words: Words) -> str:
        return f"ON CONFLICT DO NOTHING RETURNING {words.name(self._key)}, id"
