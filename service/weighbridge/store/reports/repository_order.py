"""In which order repositories are listed, and which of them a page holds."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Double,
    Row,
    Select,
    case,
    cast,
    func,
    literal,
    select,
    tuple_,
    type_coerce,
)

from weighbridge.errors import UsageError
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.models import (
    registries,
    repositories,
    repository_summaries,
)
from weighbridge.store.paging import Key, read_cursor

SQLRow: TypeAlias = Row[*tuple[object, ...]]

_summary = repository_summaries.c
# The ledger's columns hold 0 until the repository is summed up for the first time.
_is_summed_up = _summary.referenced_bytes.is_not(None)
_deduplicated = case((_is_summed_up, _summary.deduplicated_bytes))
_exclusive = case((_is_summed_up, _summary.exclusive_bytes))
# A ratio, as `max_growth` is.
_growth = type_coerce(
    (_summary.newest_compressed_bytes - _summary.baseline_compressed_bytes)
    / cast(func.nullif(_summary.baseline_compressed_bytes, 0), Double),
    Double,
)
_COLUMNS: Final[dict[str, ColumnElement[object]]] = {
    "name": registries.c.name + "/" + repositories.c.name,
    "compressed": _summary.newest_compressed_bytes,
    "uncompressed": _summary.newest_uncompressed_bytes,
    "growth": _growth,
    "heaviest": _summary.heaviest_compressed_bytes,
    "largest": _summary.largest_compressed_bytes,
    "layers": _summary.newest_layers,
    "newest": type_coerce(_summary.newest_at, BigInteger),
    "referenced": _summary.referenced_bytes,
    "weighed": _summary.weighed_bytes,
    "deduplicated": _deduplicated,
    "shared": _deduplicated - _exclusive,
    "exclusive": _exclusive,
    "tags": _summary.tag_count,
    "images": _summary.image_count,
    "failed": _summary.tags_failed,
    "pass": type_coerce(repositories.c.last_pass_at, BigInteger),
}
SORTS: Final = tuple(_COLUMNS)
"""What a list of repositories may be sorted by."""
# What a cursor may hold as a value of each sort: a database refuses to compare a text
# with a number.
_VALUE_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "name": (str,),
    "growth": (int, float, type(None)),
}
_NUMBER: Final = (int, type(None))


@dataclass(frozen=True, slots=True)
class RepositoryQuery:
    """Which repositories, in which order.

    registry: only this one's
    q:        only names that hold this text, literally
    sort:     one of SORTS; rows without a value come last in either order
    violating: only those with open violations that nobody waived, or only the others
    """

    registry: str | None = None
    q: str | None = None
    sort: str = "compressed"
    order: str = "desc"
    violating: bool | None = None
    limit: int = 100
    cursor: str | None = None


def check_order(query: RepositoryQuery) -> None:
    """Raises UsageError(invalid_sort)."""
    if query.sort not in _COLUMNS:
        raise UsageError(
            "repositories cannot be sorted by that",
            code="invalid_sort",
            hint=f"sort by one of: {', '.join(SORTS)}",
        )
    if query.order not in ("asc", "desc"):
        raise UsageError(
            "there is no such order", code="invalid_sort", hint="take asc or desc"
        )


def order_name(query: RepositoryQuery) -> str:
    """What the cursors of this list are of."""
    return f"repositories:{query.sort}:{query.order}"


def page_keys(
    connection: Connection,
    query: RepositoryQuery,
    limit: int,
    violating: Collection[int] = (),
) -> list[SQLRow]:
    """What the rows of a page are sorted by, and their ids: those with a value, then
    those without.

    violating: where the query asks for it, the repositories that are

    Two statements, so that each can follow an index: where one puts the rows without a
    value last, the database sorts all of them for each page.
    """
    value, last = _COLUMNS[query.sort], _last_key(query)
    given = {} if query.violating is None else {"violating": listed(violating)}
    found: list[SQLRow] = []
    if last is None or last[0] is not None:
        known = _keys(query).where(value.is_not(None))
        if last is not None:
            known = known.where(_follows(query, last))
        found += connection.execute(known.limit(limit), given)
    if len(found) < limit:
        unknown = _keys(query).where(value.is_(None))
        if last is not None and last[0] is None:
            unknown = unknown.where(_follows(query, last))
        found += connection.execute(unknown.limit(limit - len(found)), given)
    return found


def _last_key(query: RepositoryQuery) -> tuple[Key, Key] | None:
    """Value and id of the row before the page; None for the first page."""
    if query.cursor is None:
        return None
    types = (_VALUE_TYPES.get(query.sort, _NUMBER), (int,))
    value, identity = read_cursor(query.cursor, order_name(query), types)
    return value, identity


def _keys(query: RepositoryQuery) -> Select[*tuple[object, ...]]:
    """Value and id of the chosen repositories, in order."""
    value, identity = _COLUMNS[query.sort], _summary.repository_id
    keys = select(value.label("value"), identity.label("id")).join_from(
        repository_summaries, repositories, repositories.c.id == identity
    )
    if query.sort == "name":
        keys = keys.join(registries, registries.c.id == repositories.c.registry_id)
    keys = keys.where(*_chosen(query))
    if query.order == "desc":
        return keys.order_by(value.desc(), identity.desc())
    return keys.order_by(value, identity)


def _chosen(query: RepositoryQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [repositories.c.gone_at.is_(None)]
    if query.registry is not None:
        registry = select(registries.c.id).where(registries.c.name == query.registry)
        # `+ 0`: a scan is faster than the index of names, see `registries`.
        registry_id = repositories.c.registry_id + 0
        conditions.append(registry_id == registry.scalar_subquery())
    if query.q:
        conditions.append(repositories.c.name.icontains(query.q, autoescape=True))
    if query.violating is not None:
        is_among = among_ids(repositories.c.id, "violating")
        conditions.append(is_among if query.violating else ~is_among)
    return conditions


def _follows(query: RepositoryQuery, last: tuple[Key, Key]) -> ColumnElement[bool]:
    """Whether a row comes after this one, among those that have a value as it has."""
    value, identity = _COLUMNS[query.sort], _summary.repository_id
    if last[0] is None:
        return identity < last[1] if query.order == "desc" else identity > last[1]
    row = tuple_(value, identity)
    before = tuple_(literal(last[0], value.type), literal(last[1], identity.type))
    return row < before if query.order == "desc" else row > before
