"""Joins in the order in which they are written, for a planner without statistics."""

from sqlalchemy import ColumnElement, FromClause, Join
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler


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
