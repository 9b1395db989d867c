"""What one database says differently from another: the only place that knows.

Today that is SQLite. Statements are made once, at import, and take lists as one
parameter, so that neither SQLAlchemy nor the database compiles them again.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Column,
    ColumnElement,
    Table,
    Text,
    bindparam,
    func,
    select,
    type_coerce,
)
from sqlalchemy.dialects import sqlite

Key = TypeVar("Key")

LOOKUP_SIZES: Final = (1, 20, 250)
"""Lengths of the lists of digests that are compiled; shorter ones are padded."""


def insert(table: Table) -> sqlite.Insert:
    """An INSERT that knows ON CONFLICT."""
    return sqlite.insert(table)


def insert_new(table: Table) -> sqlite.Insert:
    """An INSERT that leaves rows alone which are there already."""
    return sqlite.insert(table).on_conflict_do_nothing()


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


def among_digests(column: Column[str], name: str = "digests") -> ColumnElement[bool]:
    """`column IN (list)` for digests, in lists that `padded` made: bytes cannot
    travel in JSON."""
    wanted: BindParameter[str] = bindparam(name, expanding=True, type_=column.type)
    return column.in_(wanted)


def padded(digests: list[Key]) -> Iterator[list[Key]]:
    """The digests in pieces whose lengths are among LOOKUP_SIZES."""
    largest = LOOKUP_SIZES[-1]
    for start in range(0, len(digests), largest):
        piece = digests[start : start + largest]
        size = next(size for size in LOOKUP_SIZES if size >= len(piece))
        yield piece + [piece[-1]] * (size - len(piece))
