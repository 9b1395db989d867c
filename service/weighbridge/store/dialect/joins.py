"""Which table is looked up for which: many keys as one parameter, and joins and orders
whose way through the tables is ours to choose.

`a IN (...) AND b IN (...)` is a product and no set of pairs, and of a join with a list
PostgreSQL makes a hash of the whole table, as long as it thinks the list long. So the
keys are rows here, and a table is probed for each of them. `column IN (list)` takes its
list as one parameter, whatever its length. A planner without statistics is told the
rest.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Final, Self, TypeAlias, TypeVar, cast

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnClause,
    ColumnElement,
    Dialect,
    FromClause,
    Join,
    TableValuedAlias,
    Text,
    bindparam,
    column,
)
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
def _among_in_json(element: _Among, compiler: SQLCompiler, **kw: object) -> str:
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


Groups: TypeAlias = (
    Mapping[int, Collection[int]]
    | Mapping[int, Collection[str]]
    | Mapping[tuple[int, ...], Collection[int]]
)
"""Keys by what begins them: `{(scope, repository): blobs}` for triples. What comes
first is said once, so that many keys of one repository cost what a list costs."""

_BIGINT: Final = BigInteger()


class _Groups(TypeDecorator[Groups]):
    """JSON on both databases: `[[scope, repository, [blob, ...]], ...]`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Groups | None, dialect: Dialect) -> str:
        return json.dumps(
            [
                [*(first if isinstance(first, tuple) else (first,)), _plain(last)]
                for first, last in (value or {}).items()
            ]
        )


def _plain(values: Collection[int] | Collection[str]) -> list[int | str]:
    return [v if isinstance(v, int) else storable(v) for v in values]


class _Given(FunctionElement[object]):
    inherit_cache = True
    name = "given"

    @property
    def names(self) -> list[str]:
        columns = list(self.clauses)[1:]
        return [cast("ColumnClause[object]", each).name for each in columns]

    @property
    def is_of_texts(self) -> bool:
        return isinstance(list(self.clauses)[-1].type, Text)


@compiles(_Given)
def _in_json(element: _Given, compiler: SQLCompiler, **kw: object) -> str:
    values = compiler.process(next(iter(element.clauses)), **kw)
    *first, last = element.names
    keys = ", ".join(f"json_extract(value, '$[{n}]') AS {k}" for n, k in _placed(first))
    named = ", ".join(f"one_group.{name}" for name in first)
    # The limit keeps SQLite from putting both together, and from taking a group's
    # text apart again for each of its members.
    groups = (
        f"SELECT {keys}, json_extract(value, '$[{len(first)}]') AS members"
        f" FROM json_each({values}) LIMIT -1"
    )
    return (
        f"(SELECT {named}, member.value AS {last} FROM ({groups}) AS one_group"
        " CROSS JOIN json_each(one_group.members) AS member)"
    )


@compiles(_Given, POSTGRESQL)
def _in_json_of_postgresql(element: _Given, compiler: SQLCompiler, **kw: object) -> str:
    values = compiler.process(next(iter(element.clauses)), **kw)
    *first, last = element.names
    kind = "text" if element.is_of_texts else "bigint"
    keys = ", ".join(f"(value->>{n})::bigint AS {name}" for n, name in _placed(first))
    named = ", ".join(f"one_group.{name}" for name in first)
    # The condition is always true. By it the planner expects one group and not a
    # hundred, and compiles no machine code for a statement of a millisecond.
    groups = (
        f"SELECT {keys}, value->{len(first)} AS members"
        f" FROM json_array_elements({values}::json) AS value"
        f" WHERE json_typeof(value->{len(first)}) = 'array' OFFSET 0"
    )
    return (
        f"(SELECT {named}, member::{kind} AS {last} FROM ({groups}) AS one_group"
        " CROSS JOIN json_array_elements_text(one_group.members) AS member)"
    )


def _placed(names: list[str]) -> list[tuple[int, str]]:
    return list(enumerate(names))


def given_ids(*names: str, parameter: str = "keys") -> TableValuedAlias:
    """Keys of ids as the rows of a table `given` with columns of these names; the
    parameter is `Groups`, or a mapping from the first id to others."""
    return _given([column(name, _BIGINT) for name in names], parameter)


def given_texts(*names: str, parameter: str = "keys") -> TableValuedAlias:
    """The same, the last of them a text."""
    *first, last = names
    ids: list[ColumnClause[object]] = [column(name, _BIGINT) for name in first]
    return _given([*ids, column(last, Text())], parameter)


def _given(columns: list[ColumnClause[object]], parameter: str) -> TableValuedAlias:
    values = bindparam(parameter, type_=_Groups())
    return _Given(values, *columns).table_valued(*columns, name="given")


class _Ordered(Join):
    inherit_cache = True


@compiles(_Ordered, "sqlite")
def _in_order(join: _Ordered, compiler: SQLCompiler, **kw: object) -> str:
    # https://sqlite.org/lang_select.html, "Special handling of CROSS JOIN": the left
    # table stays the outer loop.
    left, right, on = _parts(join, compiler, kw)
    return f"{left} {'LEFT' if join.isouter else 'CROSS'} JOIN {right} ON {on}"


class _ProbedJoin(_Ordered):
    inherit_cache = True


@compiles(_ProbedJoin, POSTGRESQL)
def _lateral(join: _ProbedJoin, compiler: SQLCompiler, **kw: object) -> str:
    left, right, on = _parts(join, compiler, kw)
    name = compiler.preparer.quote(cast("ColumnClause[object]", join.right).name)
    # Without the offset the planner takes it for a join of any kind.
    probe = f"LATERAL (SELECT * FROM {right} WHERE {on} OFFSET 0) AS {name}"
    if join.isouter:
        return f"{left} LEFT JOIN {probe} ON true"
    return f"{left} CROSS JOIN {probe}"


def _parts(join: _Ordered, compiler: SQLCompiler, kw: dict[str, object]) -> list[str]:
    kw["asfrom"] = True
    assert join.onclause is not None  # noqa: S101 - those below have given one
    parts = (join.left, join.right, join.onclause)
    return [compiler.process(part, **kw) for part in parts]


def join_in_order(
    left: FromClause, right: FromClause, on: ColumnElement[bool]
) -> FromClause:
    """`left JOIN right ON ...`. SQLite, which knows nothing of how large a table is
    before it was analyzed, takes the rows of `left` first; PostgreSQL decides."""
    return _Ordered(left, right, on)


def probe(left: FromClause, right: FromClause, on: ColumnElement[bool]) -> FromClause:
    """`left JOIN right ON ...`, where `right`, a table, is looked up by its key for
    each row of `left`, whatever a planner thinks of it."""
    return _ProbedJoin(left, right, on)


def probe_if_any(
    left: FromClause, *rights: tuple[FromClause, ColumnElement[bool]]
) -> FromClause:
    """The same as LEFT JOINs, one after the other: tables, each with its key."""
    for right, on in rights:
        left = _ProbedJoin(left, right, on, isouter=True)
    return left


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
