"""Statements that write or read many rows: each in a database's own way.

Each value is converted by its column's type, and nothing else is done for each row:
SQLAlchemy's own executemany takes four times as long as SQLite then needs.

PostgreSQL gets one statement over arrays, half the price of executemany there. SQLite
gets as few statements as can be: for each of them, for each row of an executemany and
for each row that is read, Python gives the interpreter's lock away, and waits for it
beside a thread that computes: of 500 rows 500 times. So it puts what is read together
itself, as one JSON text, which is read in one step (`Rows`).
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain, repeat
from operator import itemgetter
from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVarTuple

from msgspec import Struct
from sqlalchemy import (
    BindParameter,
    ClauseElement,
    Column,
    Connection,
    Dialect,
    LargeBinary,
    Select,
    Table,
    func,
    select,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

from weighbridge.store.dialect.server import POSTGRESQL
from weighbridge.store.models.types import DigestBytes

Row: TypeAlias = tuple[Any, ...]

_PIECES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""So many rows a statement may have on SQLite. Each length is a statement of its own,
which the driver keeps compiled: so there are few lengths."""
_LONGEST: Final = _PIECES[-1]


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


class _Prepared(NamedTuple):
    """A statement in a database's own words.

    converts: what makes a column's values plain ones; None: they are
    texts:    the statement, on SQLite by how many rows it has
    """

    converts: Sequence[Callable[[Any], object] | None]
    texts: Mapping[int, str]


class ManyRows(ABC):
    """A statement for many rows, each a tuple with a value for each column."""

    def __init__(self, table: Table, columns: Sequence[str]) -> None:
        self._table = table
        self._columns = [table.c[name] for name in columns]
        self._prepared: dict[str, _Prepared] = {}

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
        columns: list[Iterable[object]] = [
            values if convert is None else map(convert, values)
            for convert, values in zip(
                prepared.converts, zip(*rows, strict=True), strict=True
            )
        ]
        if dialect.name == POSTGRESQL:
            arrays = tuple([list(values) for values in columns])
            return _returned(connection, prepared.texts[0], arrays)
        return _in_pieces(connection, prepared.texts, list(zip(*columns, strict=True)))

    def _prepare(self, dialect: Dialect) -> _Prepared:
        words = Words(self._table, dialect)
        converts = [column.type.bind_processor(dialect) for column in self._columns]
        if dialect.name == POSTGRESQL:
            return _Prepared(converts, {0: self._over_arrays(words)})
        row = f"({', '.join('?' for _ in self._columns)})"
        return _Prepared(
            converts,
            {
                n: self._of_values(words, f"VALUES {', '.join([row] * n)}")
                for n in _PIECES
            },
        )

    @abstractmethod
    def _of_values(self, words: Words, values: str) -> str:
        """The statement over `VALUES (...), ...`; nothing happens for rows of NULLs.
        The first column of a real row is never NULL."""

    @abstractmethod
    def _over_arrays(self, words: Words) -> str:
        """The statement over an array for each column."""


def _in_pieces(
    connection: Connection, texts: Mapping[int, str], rows: Sequence[Row]
) -> Sequence[Row]:
    """SQLite: one statement for each 256 rows, and one for the rest, filled up with
    rows of NULLs."""
    nothing = (None,) * len(rows[0])
    returned: list[Row] = []
    for start in range(0, len(rows), _LONGEST):
        piece = rows[start : start + _LONGEST]
        length = next(length for length in _PIECES if length >= len(piece))
        filled = chain(piece, repeat(nothing, length - len(piece)))
        values = tuple(chain.from_iterable(filled))
        returned += _returned(connection, texts[length], values)
    return returned


def _returned(connection: Connection, text: str, values: Row) -> Sequence[Row]:
    result = connection.exec_driver_sql(text, values)
    return result.all() if result.returns_rows else ()


class InsertedRows(ManyRows):
    """An INSERT of many rows, none of which may be there already."""

    def add(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Insert rows that have a value for each of the columns."""
        self._run(connection, rows)

    def _of_values(self, words: Words, values: str) -> str:
        chosen = f"SELECT * FROM ({values}) WHERE column1 IS NOT NULL"
        return f"{self._into(words)} {chosen} {self._conflict(words)}"

    def _over_arrays(self, words: Words) -> str:
        source = words.unnested(self._columns)
        return f"{self._into(words)} SELECT * FROM {source} {self._conflict(words)}"

    def _into(self, words: Words) -> str:
        return f"INSERT INTO {words.table} ({words.names(self._columns)})"

    def _conflict(self, words: Words) -> str:
        """What becomes of rows that are there already."""
        return ""


class BulkInsert(InsertedRows):
    """An INSERT of many rows, which leaves those alone that are there already.

    Where several processes insert the same new rows at once on PostgreSQL, the later
    ones wait for the first one's commit: give the rows sorted by their key, or two
    of them wait for each other.
    """

    def __init__(self, table: Table, *columns: str) -> None:
        super().__init__(table, columns)

    def _conflict(self, words: Words) -> str:
        return "ON CONFLICT DO NOTHING"


class BulkUpsert(InsertedRows):
    """An INSERT of many rows, which take the place of those that are there already:
    each is a tuple of its key and then its values.

    key:    the columns of the primary key; no key may come twice in one call
    values: the other columns, which an existing row takes over
    """

    def __init__(
        self, table: Table, *, key: Sequence[str], values: Sequence[str]
    ) -> None:
        super().__init__(table, [*key, *values])
        self._key = self._columns[: len(key)]
        self._values = self._columns[len(key) :]

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


class NumberedRows:
    """An INSERT of many rows whose ids are wanted.

    key: the column, or the columns, that tell the rows of one call apart
    """

    def __init__(self, table: Table, *columns: str, key: str | Sequence[str]) -> None:
        keys = [key] if isinstance(key, str) else list(key)
        self._new = InsertedRows(table, ["id", *columns])
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
            return self._returned.take(connection, rows)
        # Nobody else writes: the numbers are ours to give.
        first = connection.execute(self._last).scalar_one() + 1
        ids = range(first, first + len(rows))
        self._new.add(connection, [(n, *row) for n, row in zip(ids, rows, strict=True)])
        return {self._key(row): n for n, row in zip(ids, rows, strict=True)}


class _Returned(InsertedRows):
    def __init__(
        self, table: Table, columns: Sequence[str], keys: Sequence[str]
    ) -> None:
        super().__init__(table, columns)
        self._keys = [table.c[key] for key in keys]

    def take(self, connection: Connection, rows: Sequence[Row]) -> dict[Any, int]:
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


Ts = TypeVarTuple("Ts")
Convert: TypeAlias = Callable[[Any], object] | None


class Rows(Generic[*Ts]):
    """A SELECT of short rows by the hundred. Its columns have distinct names. Rows
    come in its order if it has a LIMIT too; else in none."""

    def __init__(self, statement: Select[*Ts]) -> None:
        self.statement = statement
        self._packed: _Packed | None = None

    def read(
        self, connection: Connection, parameters: Mapping[str, object]
    ) -> Sequence[tuple[*Ts]]:
        """All rows, each with a value for each column."""
        if connection.dialect.name == POSTGRESQL:
            return connection.execute(self.statement, parameters).all()
        if self._packed is None:
            # Of the dialect without its driver: types then convert plain values.
            self._packed = _pack(self.statement, type(connection.dialect)())
        return self._packed.read(connection, parameters)


class _Parameter(NamedTuple):
    """A question mark: what a caller gives under a name, or a constant (name "")."""

    name: str
    constant: object
    convert: Convert


class _Packed(Struct, frozen=True):
    """A statement in SQLite's words, with what its parameters and columns need."""

    text: str
    parameters: Sequence[_Parameter]
    converts: Sequence[Convert]

    def read(
        self, connection: Connection, given: Mapping[str, object]
    ) -> list[tuple[Any, ...]]:
        """All rows."""
        values = []
        for name, constant, convert in self.parameters:
            value = given[name] if name else constant
            values.append(value if convert is None else convert(value))
        text = connection.exec_driver_sql(self.text, tuple(values)).scalar_one()
        columns = zip(*json.loads(text), strict=True)
        converted = [
            column if convert is None else map(convert, column)
            for convert, column in zip(self.converts, columns, strict=False)
        ]
        return list(zip(*converted, strict=True))


def _pack(statement: Select[*Ts], dialect: Dialect) -> _Packed:
    columns = list(statement.subquery().c)
    values = [func.hex(c) if _is_bytes(c.type) else c for c in columns]
    packed = select(func.json_group_array(func.json_array(*values)))
    compiled = packed.compile(dialect=dialect)
    binds = [compiled.binds[name] for name in compiled.positiontup or ()]
    return _Packed(
        compiled.string,
        [_parameter(bind, dialect) for bind in binds],
        [_convert(column.type, dialect) for column in columns],
    )


def _parameter(bind: BindParameter[Any], dialect: Dialect) -> _Parameter:
    convert = bind.type.dialect_impl(dialect).bind_processor(dialect)
    return _Parameter(bind.key if bind.required else "", bind.value, convert)


def _is_bytes(kind: TypeEngine[object]) -> bool:
    if isinstance(kind, TypeDecorator):
        return isinstance(kind.impl_instance, LargeBinary)
    return isinstance(kind, LargeBinary)


def _convert(kind: TypeEngine[object], dialect: Dialect) -> Convert:
    """From what JSON has for a value to what the column's type makes of it."""
    if isinstance(kind, DigestBytes):
        return kind.of_hex
    if not _is_bytes(kind):
        return kind.dialect_impl(dialect).result_processor(dialect, None)
    return lambda text: bytes.fromhex(text) if text else None
