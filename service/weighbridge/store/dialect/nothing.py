"""An order among rows where what they are sorted by is NULL."""

from typing import TypeVar

from sqlalchemy import ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

Value = TypeVar("Value")


class _Nothing(FunctionElement[Value]):
    inherit_cache = True
    name = "nothing"

    def __init__(
        self, value: ColumnElement[Value], identity: ColumnElement[int]
    ) -> None:
        super().__init__(value, identity)
        self.type = value.type


@compiles(_Nothing)
def _as_it_is(element: _Nothing[Value], compiler: SQLCompiler, **kw: object) -> str:
    value, _ = element.clauses
    return compiler.process(value, **kw)


@compiles(_Nothing, "sqlite")
def _left_out(element: _Nothing[Value], compiler: SQLCompiler, **kw: object) -> str:
    # What comes twice in ORDER BY is as if it came once.
    _, identity = element.clauses
    return compiler.process(identity, **kw)


def where_null(
    value: ColumnElement[Value], identity: ColumnElement[int]
) -> ColumnElement[Value]:
    """For ORDER BY, where `identity` follows. SQLite would sort all rows by an
    expression that is NULL in each; to PostgreSQL it shows which index has the rows in
    order."""
    return _Nothing(value, identity)
