"""Statements that write many rows: one in each database's own way.

The driver gets whole rows, each value converted by its column's type, and nothing
else is done for each row: SQLAlchemy's own executemany takes four times as long as
SQLite then needs. PostgreSQL gets one statement over arrays, half the price of
executemany there.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import ClauseElement, Connection, Dialect, Table

from weighbridge.store.dialect.names import POSTGRESQL
from weighbridge.store.dialect.words import Words

Row: TypeAlias = tuple[object, ...]
Convert: TypeAlias = Callable[[object], object] | None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A statement in a database's own words, with what each column's values need."""

    text: str
    order: Sequence[int]
    converts: Sequence[Convert]
    as_arrays: bool

    def run(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Once with an array for each column, or as the driver's executemany."""
        given = list(zip(*rows, strict=True))
        columns: list[Iterable[object]] = [
            given[place] if convert is None else map(convert, given[place])
            for place, convert in zip(self.order, self.converts, strict=True)
        ]
        if self.as_arrays:
            arrays = tuple(list(values) for values in columns)
            connection.exec_driver_sql(self.text, arrays)
        else:
            connection.exec_driver_sql(self.text, list(zip(*columns, strict=True)))


class _ManyRows:
    """A statement for many rows, each a tuple with a value for each column."""

    def __init__(self, table: Table, columns: Sequence[str]) -> None:
        self._table = table
        self._columns = [table.c[name] for name in columns]
        self._prepared: dict[str, _Prepared] = {}

    def _run(self, connection: Connection, rows: Sequence[Row]) -> None:
        if not rows:
            return
        dialect = connection.dialect
        prepared = self._prepared.get(dialect.name)
        if prepared is None:
            # Of the dialect without its driver: types then convert to plain values.
            prepared = self._prepare(type(dialect)())
            self._prepared[dialect.name] = prepared
        prepared.run(connection, rows)

    def _prepare(self, dialect: Dialect) -> _Prepared:
        as_arrays = dialect.name == POSTGRESQL
        words = Words(self._table, dialect)
        order = range(len(self._columns)) if as_arrays else self._order()
        return _Prepared(
            self._over_arrays(words) if as_arrays else self._for_each(words),
            order,
            [self._columns[place].type.bind_processor(dialect) for place in order],
            as_arrays,
        )

    def _order(self) -> Sequence[int]:
        """The columns in the order of the question marks of `_for_each`."""
        return range(len(self._columns))

    def _for_each(self, words: Words) -> str:
        raise NotImplementedError

    def _over_arrays(self, words: Words) -> str:
        raise NotImplementedError


class _InsertedRows(_ManyRows):
    """An INSERT of many rows, and what becomes of those that are there already."""

    def _for_each(self, words: Words) -> str:
        marks = ", ".join("?" for _ in self._columns)
        return f"{self._into(words)} VALUES ({marks}) {self._conflict(words)}"

    def _over_arrays(self, words: Words) -> str:
        source = words.unnested(self._columns)
        return f"{self._into(words)} SELECT * FROM {source} {self._conflict(words)}"

    def _into(self, words: Words) -> str:
        return f"INSERT INTO {words.table} ({words.names(self._columns)})"

    def _conflict(self, words: Words) -> str:
        raise NotImplementedError


class NewRows(_InsertedRows):
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


class PutRows(_InsertedRows):
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


class ChangedRows(_ManyRows):
    """An UPDATE of many rows, each found by its key: `key..., values...`.

    key:    columns that are compared; none of them NULL
    values: columns that are set to the row's value
    also:   columns that are set to the same expression in every row
    only:   a condition on the stored row: others are left alone

    On PostgreSQL the order in which rows are locked is not ours: whoever changes
    rows that others change too, locks them first, sorted (`FOR UPDATE`).
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

    def _for_each(self, words: Words) -> str:
        values = [f"{words.name(column)} = ?" for column in self._values]
        return (
            f"UPDATE {words.table} SET {self._changes(words, values)}"
            f" WHERE {words.matches(self._key, '?')}{self._condition(words)}"
        )

    def _order(self) -> Sequence[int]:
        # The key comes first in a row and last in the statement.
        keys, columns = len(self._key), len(self._columns)
        return [*range(keys, columns), *range(keys)]

    def _over_arrays(self, words: Words) -> str:
        names = map(words.name, self._values)
        values = [f"{name} = given.{name}" for name in names]
        return (
            f"UPDATE {words.table} SET {self._changes(words, values)}"
            f" FROM {words.given(self._columns)}"
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


class GoneRows(_ManyRows):
    """A DELETE of many rows, each found by its key."""

    def __init__(self, table: Table, *, key: Sequence[str]) -> None:
        super().__init__(table, key)

    def remove(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Delete the rows of these keys, those that are there."""
        self._run(connection, rows)

    def _for_each(self, words: Words) -> str:
        return f"DELETE FROM {words.table} WHERE {words.matches(self._columns, '?')}"

    def _over_arrays(self, words: Words) -> str:
        return (
            f"DELETE FROM {words.table} USING {words.given(self._columns)}"
            f" WHERE {words.matches(self._columns, 'given.{}')}"
        )
