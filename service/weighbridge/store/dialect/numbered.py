"""Adds many rows whose ids are wanted afterwards."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table, func, select

from weighbridge.store.dialect.many_rows import InsertedRows, Words
from weighbridge.store.dialect.names import POSTGRESQL
from weighbridge.store.dialect.prepared import Row


class NumberedRows:
    """An INSERT of many rows whose ids are wanted.

    key: the column, or the columns, that tell the rows of one call apart
    """

    def __init__(self, table: Table, *columns: str, key: str | Sequence[str]) -> None:
        keys = [key] if isinstance(key, str) else list(key)
        self._new = _Numbered(table, ["id", *columns])
        self._returned = _Returned(table, columns, keys)
        # Of one column its value, of several a tuple of theirs.
        self._key = itemgetter(*(columns.index(name) for name in keys))
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
        return {self._key(row): n for n, row in zip(ids, rows, strict=True)}


class _Numbered(InsertedRows):
    def add(self, connection: Connection, rows: Sequence[Row]) -> None:
        self._run(connection, rows)

    def _conflict(self, words: Words) -> str:
        return ""


class _Returned(InsertedRows):
    def __init__(
        self, table: Table, columns: Sequence[str], keys: Sequence[str]
    ) -> None:
        super().__init__(table, columns)
        self._keys = [table.c[key] for key in keys]

    def add(self, connection: Connection, rows: Sequence[Row]) -> dict[Any, int]:
        found = self._run(connection, rows)
        if not found:
            return {}
        *keys, numbers = zip(*found, strict=True)
        converted = [
            values if convert is None else map(convert, values)
            for values, convert in zip(keys, self._converts(connection), strict=True)
        ]
        made = converted[0] if len(self._keys) == 1 else zip(*converted, strict=True)
        return dict(zip(made, numbers, strict=True))

    def _converts(self, connection: Connection) -> list[Any]:
        dialect = connection.dialect
        return [key.type.result_processor(dialect, None) for key in self._keys]

    def _conflict(self, words: Words) -> str:
        return f"ON CONFLICT DO NOTHING RETURNING {words.names(self._keys)}, id"
