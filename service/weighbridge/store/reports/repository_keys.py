"""Which repositories a page holds: found in their order, by indexes where there are."""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from msgspec import Struct
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    false,
    literal,
    literal_column,
    select,
    tuple_,
    union_all,
)

from weighbridge.store.dialect import among_ids, listed, where_null
from weighbridge.store.models import registries, repositories, repository_summaries
from weighbridge.store.reports.repository_order import (
    COLUMNS,
    OF_REPOSITORIES,
    RepositoryKey,
    RepositoryQuery,
)

LOOKED_THROUGH: Final = 10_000
"""Repositories among which a page looks for a text, however many there are."""
_summary = repository_summaries.c


class ListedRegistry(NamedTuple):
    """A registry whose repositories are listed."""

    id: int
    name: str


class PageKeys(Struct, frozen=True):
    """The repositories of a page, in order.

    reached: where the next page goes on, if fewer than asked for were found among as
        many as are looked through for a page
    """

    found: Sequence[RepositoryKey]
    reached: RepositoryKey | None = None


def page_keys(
    connection: Connection,
    query: RepositoryQuery,
    last: RepositoryKey | None,
    limit: int,
    violating: Collection[int] = (),
) -> PageKeys:
    """What the rows of a page are sorted by, and their ids: those with a value, then
    those without.

    last:      the row before the page, None for the first
    violating: where the query asks for it, the repositories that are

    Two statements, so that each can follow an index: where one puts the rows without a
    value last, the database sorts all of them for each page.
    """
    of = _registries(connection, query)
    given = {} if query.violating is None else {"violating": listed(violating)}
    found: list[RepositoryKey] = []
    for is_known in (True, False):
        if not of or (is_known and last is not None and last.value is None):
            continue
        after = last if last is None or (last.value is not None) is is_known else None
        # Of those that do not violate anything there are enough among so many.
        most = LOOKED_THROUGH if query.q else limit - len(found) + len(violating)
        walk = _walk(query, of, is_known, after, most)
        chosen = _chosen(query, walk).limit(limit - len(found))
        found += map(RepositoryKey._make, connection.execute(chosen, given))
        if len(found) >= limit:
            break
        if query.q:
            end = walk.offset(most - 1).limit(1)
            reached = connection.execute(end, given).one_or_none()
            if reached is not None:
                return PageKeys(found, RepositoryKey._make(reached))
    return PageKeys(found)


def _registries(connection: Connection, query: RepositoryQuery) -> list[ListedRegistry]:
    """Those that are asked for."""
    statement = select(registries.c.id, registries.c.name).order_by(registries.c.id)
    if query.registry is not None:
        statement = statement.where(registries.c.name == query.registry)
    return list(map(ListedRegistry._make, connection.execute(statement)))


def _walk(
    query: RepositoryQuery,
    of: Sequence[ListedRegistry],
    is_known: bool,
    last: RepositoryKey | None,
    most: int,
) -> Select[*tuple[object, ...]]:
    """The first values and ids in order: of each registry by an index, then of all."""
    parts = [_part(query, each, is_known, last).limit(most) for each in of]
    if len(parts) == 1:
        return parts[0]
    together = union_all(*(part.subquery().select() for part in parts)).subquery()
    return _in_order(query, select(together.c.value, together.c.id)).limit(most)


def _part(
    query: RepositoryQuery,
    of: ListedRegistry,
    is_known: bool,
    last: RepositoryKey | None,
) -> Select[*tuple[object, ...]]:
    """Of one registry."""
    table = repositories if query.sort in OF_REPOSITORIES else repository_summaries
    identity = table.c.id if table is repositories else _summary.repository_id
    value = COLUMNS[query.sort]
    # Those that violate something are few, and found by their ids: `+ 0`.
    registry_id = table.c.registry_id + 0 if query.violating else table.c.registry_id
    conditions = [registry_id == of.id]
    if table is repositories:
        conditions.append(repositories.c.deleted_at.is_(None))
    if query.violating:
        conditions.append(among_ids(identity, "violating"))
    conditions.append(_has_value(value) if is_known else value.is_(None))
    shown: ColumnElement[object] | ColumnElement[str] = value
    if query.sort == "name":
        start = f"{of.name}/"
        shown = literal(start) + repositories.c.name
        conditions += _follows_name(query, start, last)
    elif last is not None:
        conditions.append(_follows(query, last, value, identity))
    keys = select(shown.label("value"), identity.label("id")).where(*conditions)
    order = (value if is_known else where_null(value, identity), identity)
    return keys.order_by(*(by.desc() if query.order == "desc" else by for by in order))


def _has_value(value: ColumnElement[object]) -> ColumnElement[bool]:
    """On SQLite an index of expressions finds what is greater, but not what is."""
    if isinstance(value, Column):
        return value.is_not(None)
    return value > literal_column("-9223372036854775807")


def _in_order(
    query: RepositoryQuery, keys: Select[*tuple[object, ...]]
) -> Select[*tuple[object, ...]]:
    columns = keys.selected_columns
    if query.order == "desc":
        return keys.order_by(columns.value.desc(), columns.id.desc())
    return keys.order_by(columns.value, columns.id)


def _chosen(
    query: RepositoryQuery, walk: Select[*tuple[object, ...]]
) -> Select[*tuple[object, ...]]:
    """Those of them that fit the query."""
    if not query.q and query.violating is not False:
        return walk
    keys = walk.subquery()
    chosen = select(keys.c.value, keys.c.id)
    if query.q:
        # A probe for each, whatever else a planner would think of.
        name = (
            select(repositories.c.name)
            .where(repositories.c.id == keys.c.id)
            .scalar_subquery()
        )
        chosen = chosen.where(name.icontains(query.q, autoescape=True))
    if query.violating is False:
        chosen = chosen.where(~among_ids(keys.c.id, "violating"))
    return _in_order(query, chosen)


def _follows(
    query: RepositoryQuery,
    last: RepositoryKey,
    value: ColumnElement[object],
    identity: ColumnElement[int],
) -> ColumnElement[bool]:
    """Whether a row comes after this one, among those that have a value as it has."""
    if last.value is None:
        return identity < last.id if query.order == "desc" else identity > last.id
    row = tuple_(value, identity)
    before = tuple_(literal(last.value, value.type), literal(last.id, identity.type))
    return row < before if query.order == "desc" else row > before


def _follows_name(
    query: RepositoryQuery, start: str, last: RepositoryKey | None
) -> list[ColumnElement[bool]]:
    """The same by name, among repositories whose registry is named so."""
    if last is None or not isinstance(last.value, str):
        return []
    name = repositories.c.name
    if last.value.startswith(start):
        rest = last.value.removeprefix(start)
        return [name < rest if query.order == "desc" else name > rest]
    # Databases compare texts by their bytes, which is the order of code points.
    is_behind = start < last.value if query.order == "desc" else start > last.value
    return [] if is_behind else [false()]
