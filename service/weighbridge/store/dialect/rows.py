"""Reads many rows at a time.

Python's sqlite3 gives the interpreter's lock away for each row that it takes from the
database: a thread that reads 500 rows beside one that computes waits 500 times for
its turn. So SQLite puts the rows together itself, as one JSON text, and they are read
in one step.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVarTuple

from msgspec import Struct
from sqlalchemy import (
    BindParameter,
    Connection,
    Dialect,
    LargeBinary,
    Select,
    func,
    select,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

from weighbridge.store.dialect.server import POSTGRESQL
from weighbridge.store.models.types import DigestBytes

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
