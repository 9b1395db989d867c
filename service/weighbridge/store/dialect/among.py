"""`column IN (list)`: the list is one parameter, whatever its length."""

import json
from collections.abc import Iterable
from typing import Self, TypeAlias, cast

from sqlalchemy import Boolean, Column, ColumnElement, Dialect, Text, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine

from weighbridge.store.dialect.server import POSTGRESQL
from weighbridge.store.models.types import storable

Listed: TypeAlias = list[int] | list[str] | list[bytes]


class _List(TypeDecorator[Listed]):
    """A list as one parameter: an array on PostgreSQL, JSON on SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[None] | TypeEngine[str]:
        # The driver knows lists; a type of ours would only cast it once more.
        if dialect.name == POSTGRESQL:
            return dialect.type_descriptor(NullType())
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: Listed | None, dialect: Dialect) -> object:
        if value is None:
            return None
        kind = type(value[0]) if value else int
        if kind is str:
            value = [storable(str(text)) for text in value]
        if dialect.name == POSTGRESQL:
            return value
        if kind is bytes:
            return json.dumps([b.hex() for b in cast("list[bytes]", value)])
        return json.dumps(value)


class _Among(FunctionElement[bool]):
    """`column IN (list)`, the list being one parameter."""

    type = Boolean()
    inherit_cache = True
    name = "among"
    array = ""
    piece = "value"

    def __init__(
        self,
        column: ColumnElement[int] | Column[str] | Column[bytes],
        name: str,
    ) -> None:
        super().__init__(column, bindparam(name, type_=_List()))

    def self_group(self, against: OperatorType | None = None) -> Self:
        """As it is: where SQLAlchemy takes it for a number it asks for `... = 1`, and
        then SQLite reads the whole table instead of its index."""
        return self


class _AmongIds(_Among):
    inherit_cache = True
    array = "bigint[]"


class _AmongTexts(_Among):
    inherit_cache = True
    array = "text[]"


class _AmongBytes(_Among):
    inherit_cache = True
    array = "bytea[]"
    # Bytes cannot travel in JSON. The function is SQLite's since 3.41; before,
    # `open_database` gives it to each connection.
    piece = "unhex(value)"


@compiles(_Among)
def _in_json(element: _Among, compiler: SQLCompiler, **kw: object) -> str:
    column, values = (compiler.process(part, **kw) for part in element.clauses)
    return f"{column} IN (SELECT {element.piece} FROM json_each({values}))"


@compiles(_Among, POSTGRESQL)
def _in_array(element: _Among, compiler: SQLCompiler, **kw: object) -> str:
    column, values = (compiler.process(part, **kw) for part in element.clauses)
    return f"{column} = ANY ({values}::{element.array})"


def among_ids(column: ColumnElement[int], name: str = "ids") -> ColumnElement[bool]:
    """`column IN (list)`, the list given as `listed(ids)` under `name`."""
    return _AmongIds(column, name)


def among_texts(column: Column[str], name: str = "names") -> ColumnElement[bool]:
    """`column IN (list)` for texts, the list given as `listed(texts)`."""
    return _AmongTexts(column, name)


def among_bytes(
    column: Column[bytes] | Column[str], name: str = "hashes"
) -> ColumnElement[bool]:
    """`column IN (list)` for hashes, the list given as `listed(hashes)`."""
    return _AmongBytes(column, name)


def listed(values: Iterable[int] | Iterable[str] | Iterable[bytes]) -> Listed:
    """The parameter of `among_ids`, `among_texts` and `among_bytes`."""
    return list(values)  # type: ignore[return-value]  # of one kind, as it came
