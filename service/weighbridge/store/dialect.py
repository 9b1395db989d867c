"""What one database says differently from another: the only place that knows.

Today that is SQLite. Statements are made once, at import, and take lists as one
parameter, so that neither SQLAlchemy nor the database compiles them again.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    Table,
    Text,
    bindparam,
    func,
    select,
    type_coerce,
)
from sqlalchemy.dialects import sqlite

_DIALECT: Final = sqlite.dialect(paramstyle="qmark")


def insert(table: Table) -> sqlite.Insert:
    """An INSERT that knows ON CONFLICT."""
    return sqlite.insert(table)


class NewRows:
    """An INSERT of many rows, which leaves those alone that are there already.

    The driver gets whole rows, each value converted by its column's type, and
    nothing else is done for each row: SQLAlchemy's own executemany takes four times
    as long as SQLite then needs to store them. (PostgreSQL will want one statement
    over unnest() here.)
    """

    def __init__(self, table: Table, *columns: str) -> None:
        chosen = [table.c[name] for name in columns]
        statement = sqlite.insert(table).on_conflict_do_nothing()
        compiled = statement.compile(dialect=_DIALECT, column_keys=list(columns))
        self._text = compiled.string
        # In the order of the statement's question marks.
        self._places = [columns.index(name) for name in compiled.positiontup or ()]
        self._convert = [column.type.bind_processor(_DIALECT) for column in chosen]

    def add(self, connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
        """Insert rows that have a value for each of the columns."""
        if not rows:
            return
        converted: list[Iterable[object]] = [
            values if convert is None else map(convert, values)
            for convert, values in zip(
                self._convert, zip(*rows, strict=True), strict=True
            )
        ]
        ordered = [converted[place] for place in self._places]
        connection.exec_driver_sql(self._text, list(zip(*ordered, strict=True)))


def among_ids(column: Column[int], name: str = "ids") -> ColumnElement[bool]:
    """`column IN (list)`, the list given as `listed(ids)` under `name`."""
    values = func.json_each(bindparam(name, type_=Text)).table_valued("value")
    return type_coerce(column, BigInteger).in_(select(values.c.value))


def among_texts(column: Column[str], name: str = "names") -> ColumnElement[bool]:
    """`column IN (list)` for texts, the list given as `listed(texts)`."""
    values = func.json_each(bindparam(name, type_=Text)).table_valued("value")
    return type_coerce(column, Text).in_(select(values.c.value))


def listed(values: Iterable[int] | Iterable[str]) -> str:
    """The parameter of `among_ids` and `among_texts`."""
    return json.dumps(list(values))


def among_bytes(column: Column[bytes] | Column[str]) -> ColumnElement[bool]:
    """`column IN (list)` for hashes, to be run for each of `packed(hashes)`.

    Bytes cannot travel in JSON: they come end to end, and are cut apart again.
    """
    starts = func.json_each(bindparam("starts", type_=Text)).table_valued("value")
    piece = func.substr(
        bindparam("packed", type_=LargeBinary),
        starts.c.value,
        bindparam("length", type_=Integer),
    )
    return type_coerce(column, LargeBinary).in_(select(piece))


def packed(hashes: Iterable[bytes]) -> Iterator[Mapping[str, object]]:
    """The parameters of `among_bytes`: one set for each length of hash."""
    by_length: dict[int, list[bytes]] = {}
    for content in hashes:
        by_length.setdefault(len(content), []).append(content)
    for length, same in by_length.items():
        starts = range(1, len(same) * length + 1, length)
        yield {"packed": b"".join(same), "length": length, "starts": listed(starts)}
