"""What tells a planner without statistics in which order to join and to sort."""

from typing import TypeVar

from sqlalchemy import ColumnElement, FromClause, Join
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class _Ordered(Join):
    inherit_cache = True


@compiles(_Ordered, "sqlite")
def _cross_join(join: _Ordered, compiler: SQLCompiler, **kw: object) -> str:
    # https://sqlite.org/lang_select.html, "Special handling of CROSS JOIN": the left
    # table stays the outer loop.
    kw["asfrom"] = True
    assert join.onclause is not None  # noqa: S101 - `join_in_order` has given one
    parts = (join.left, join.right, join.onclause)
    left, right, on = (compiler.process(part, **kw) for part in parts)
    return f"{left} CROSS JOIN {right} ON {on}"


def join_in_order(
    left: FromClause, right: FromClause, on: ColumnElement[bool]
) -> FromClause:
    """`left JOIN right ON ...`. SQLite, which knows nothing of how large a table is
    before it was analyzed, takes the rows of `left` first; PostgreSQL decides."""
    return _Ordered(left, right, on)


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
