"""Statements that write many rows: one in each database's own way.

Each value is converted by its column's type, and nothing else is done for each row:
SQLAlchemy's own executemany takes four times as long as SQLite then needs. See
`prepared` for how the rows travel.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import ClauseElement, Column, Connection, Dialect, Table

from weighbridge.store.dialect.names import POSTGRESQL
from weighbridge.store.dialect.prepared import InPieces, OverArrays, Prepared, Row


class Words:
    """Of one table, in one dialect."""

    def __init__(self, table: Table, dialect: Dialect) -> None:
        self._dialect = dialect
        self._quote = dialect.identifier_preparer.quote
        self.table = self._quote(table.name)

    def name(self, column: Column[object]) -> str:
        return self._quote(column.name)

    def names(self, columns: Sequence[Column[object]]) -> str:
        return ", ".join(map(self.name, columns))

    def expression(self, clause: ClauseElement) -> str:
        options = {"literal_binds": True}
        return str(clause.compile(dialect=self._dialect, compile_kwargs=options))

    def unnested(self, columns: Sequence[Column[object]]) -> str:
        """One row for each place in the arrays."""
        arrays = (f"%s::{c.type.compile(self._dialect)}[]" for c in columns)
        return f"unnest({', '.join(arrays)})"

    def given(self, columns: Sequence[Column[object]]) -> str:
        """The same, as a table named `given`."""
        return f"{self.unnested(columns)} AS given({self.names(columns)})"

    def listed(self, columns: Sequence[Column[object]], values: str) -> str:
        """The same of `VALUES (...), ...`, whose columns SQLite numbers."""
        named = (f"column{n} AS {self.name(c)}" for n, c in enumerate(columns, 1))
        return f"(SELECT {', '.join(named)} FROM ({values})) AS given"

    def matches(self, key: Sequence[Column[object]], value: str) -> str:
        """`table.a = ... AND table.b = ...`; in `value`, {} is the column's name."""
        return " AND ".join(
            f"{self.table}.{name} = {value.format(name)}"
            for name in map(self.name, key)
        )


class ManyRows(ABC):
    """A statement for many rows, each a tuple with a value for each column."""

    def __init__(self, table: Table, columns: Sequence[str]) -> None:
        self._table = table
        self._columns = [table.c[name] for name in columns]
        self._prepared: dict[str, Prepared] = {}

    def _run(self, connection: Connection, rows: Sequence[Row]) -> Sequence[Row]:
        """Returns the rows that the statement returns."""
        if not rows:
            return ()
        dialect = connection.dialect
        prepared = self._prepared.get(dialect.name)
        if prepared is None:
            # Of the dialect without its driver: types then convert to plain values.
            prepared = self._prepare(type(dialect)())
            self._prepared[dialect.name] = prepared
        return prepared.run(connection, rows)

    def _prepare(self, dialect: Dialect) -> Prepared:
        words = Words(self._table, dialect)
        if dialect.name == POSTGRESQL:
            return OverArrays(self._over_arrays(words), self._columns, dialect)
        return InPieces(lambda v: self._of_values(words, v), self._columns, dialect)

    @abstractmethod
    def _of_values(self, words: Words, values: str) -> str:
        """The statement over `VALUES (...), ...`; nothing happens for rows of NULLs.
        The first column of a real row is never NULL."""

    @abstractmethod
    def _over_arrays(self, words: Words) -> str:
        """The statement over an array for each column."""


class InsertedRows(ManyRows):
    """An INSERT of many rows, and what becomes of those that are there already."""

    def _of_values(self, words: Words, values: str) -> str:
        chosen = f"SELECT * FROM ({values}) WHERE column1 IS NOT NULL"
        return f"{self._into(words)} {chosen} {self._conflict(words)}"

    def _over_arrays(self, words: Words) -> str:
        source = words.unnested(self._columns)
        return f"{self._into(words)} SELECT * FROM {source} {self._conflict(words)}"

    def _into(self, words: Words) -> str:
        return f"INSERT INTO {words.table} ({words.names(self._columns)})"

    def _conflict(self, words: Words) -> str:
        raise NotImplementedError


class BulkInsert(InsertedRows):
    """An INSERT of many rows, which leaves those alone that are there already.

    Where several processes insert the same new rows at once on PostgreSQL, the later
    ones wait for the first one's commit: give the rows sorted by their key, or two
    of them wait for each other.
    """

    def __init__(self, table: Table, *columns: str) -> None:
        super().__init__(table, columns)

    def add(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Insert rows that have a value for each of the columns."""
        self._run(connection, rows)

    def _conflict(self, words: Words) -> str:
        return "ON CONFLICT DO NOTHING"


class BulkUpsert(InsertedRows):
    """An INSERT of many rows, which take the place of those that are there already.

    key:    the columns of the primary key; no key may come twice in one call
    values: the other columns, which an existing row takes over
    """

    def __init__(
        self, table: Table, *, key: Sequence[str], values: Sequence[str]
    ) -> None:
        super().__init__(table, [*key, *values])
        self._key = self._columns[: len(key)]
        self._values = self._columns[len(key) :]

    def put(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Store the rows; each is a tuple of its key and then its values."""
        self._run(connection, rows)

    def _conflict(self, words: Words) -> str:
        names = map(words.name, self._values)
        changes = ", ".join(f"{name} = excluded.{name}" for name in names)
        return f"ON CONFLICT ({words.names(self._key)}) DO UPDATE SET {changes}"


class BulkUpdate(ManyRows):
    """An UPDATE of many rows, each found by its key: `key..., values...`.

    key:    columns that are compared; none of them NULL
    values: columns that are set to the row's value
    also:   columns that are set to the same expression in every row
    only:   a condition on the stored row: others are left alone

    On PostgreSQL the order in which rows are locked is not ours: whoever changes
    rows that others change too, locks them first, sorted (`FOR UPDATE`), or takes
    `BulkUpdateReturning`.
    """

    def __init__(
        self,
        table: Table,
        *,
        key: Sequence[str],
        values: Sequence[str],
        also: Mapping[str, ClauseElement] | None = None,
        only: ClauseElement | None = None,
    ) -> None:
        super().__init__(table, [*key, *values])
        self._key = self._columns[: len(key)]
        self._values = self._columns[len(key) :]
        self._also = dict(also or {})
        self._only = only

    def set(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Update the rows; each is a tuple of its key and then its new values."""
        self._run(connection, rows)

    def _of_values(self, words: Words, values: str) -> str:
        return self._from(words, words.listed(self._columns, values))

    def _over_arrays(self, words: Words) -> str:
        return self._from(words, words.given(self._columns))

    def _from(self, words: Words, given: str) -> str:
        names = map(words.name, self._values)
        values = [f"{name} = given.{name}" for name in names]
        return (
            f"UPDATE {words.table} SET {self._changes(words, values)}"
            f" FROM {given}"
            f" WHERE {words.matches(self._key, 'given.{}')}{self._condition(words)}"
        )

    def _changes(self, words: Words, values: Collection[str]) -> str:
        also = (
            f"{words.name(self._table.c[name])} = {words.expression(expression)}"
            for name, expression in self._also.items()
        )
        return ", ".join([*values, *also])

    def _condition(self, words: Words) -> str:
        return "" if self._only is None else f" AND {words.expression(self._only)}"


class BulkUpdateReturning(BulkUpdate):
    """The same for rows that others change too: locked in the order of their keys,
    so that two of us never wait for each other."""

    def take(self, connection: Connection, rows: Sequence[Row]) -> set[Row]:
        """Update the rows; returns the keys of those that were."""
        return {tuple(row) for row in self._run(connection, rows)}

    def _from(self, words: Words, given: str) -> str:
        return f"{super()._from(words, given)} RETURNING {self._returned(words)}"

    def _over_arrays(self, words: Words) -> str:
        given = words.given(self._columns)
        locked = (
            f"(SELECT given.* FROM {words.table}, {given}"
            f" WHERE {words.matches(self._key, 'given.{}')}{self._condition(words)}"
            f" ORDER BY {self._returned(words)} FOR UPDATE OF {words.table}) AS given"
        )
        return self._from(words, locked)

    def _returned(self, words: Words) -> str:
        return ", ".join(f"{words.table}.{words.name(key)}" for key in self._key)


class BulkDelete(ManyRows):
    """A DELETE of many rows, each found by its key."""

    def __init__(self, table: Table, *, key: Sequence[str]) -> None:
        super().__init__(table, key)

    def remove(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Delete the rows of these keys, those that are there."""
        self._run(connection, rows)

    def _of_values(self, words: Words, values: str) -> str:
        # Without parentheses one column would be compared with a row.
        names = words.names(self._columns)
        return f"DELETE FROM {words.table} WHERE ({names}) IN ({values})"

    def _over_arrays(self, words: Words) -> str:
        return (
            f"DELETE FROM {words.table} USING {words.given(self._columns)}"
            f" WHERE {words.matches(self._columns, 'given.{}')}"
        )
