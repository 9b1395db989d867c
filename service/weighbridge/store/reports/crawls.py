"""Crawls: what each crawl of a repository did, newest first."""

from typing import Final

from sqlalchemy import Connection, Select, literal, select, true, tuple_

from weighbridge.domain.report.inventory import Page, RepositoryCrawlReport
from weighbridge.store.dialect import join_in_order
from weighbridge.store.models import crawls, registries, repositories
from weighbridge.store.named_rows import NAMES, from_row
from weighbridge.store.paging import (
    NUMBER,
    CursorForm,
    Key,
    check_limit,
    one_of,
    read_cursor,
    write_cursor,
)

CRAWL_CURSOR: Final = CursorForm(one_of("crawls"), NUMBER)
_known = repositories.alias("known")
_named_registry = registries.alias("named_registry")
_CRAWLS: Final = select(
    crawls,
    *NAMES,
).select_from(
    # Newest first, and no more of them than are wanted.
    join_in_order(
        join_in_order(
            crawls, repositories, repositories.c.id == crawls.c.repository_id
        ),
        registries,
        registries.c.id == repositories.c.registry_id,
    )
)


def crawl_page(
    connection: Connection,
    *,
    registry: str | None = None,
    repository: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[RepositoryCrawlReport]:
    """One page of crawls. Raises UsageError(invalid_limit, invalid_cursor)."""
    statement = _CRAWLS.limit(check_limit(limit) + 1)
    last = None
    if cursor is not None:
        _, last = read_cursor(cursor, CRAWL_CURSOR)
    if repository is not None:
        named = _named(registry, repository)
        statement = statement.where(crawls.c.repository_id.in_(named))
    if registry is not None and repository is None:
        of = select(registries.c.id).where(registries.c.name == registry)
        number = connection.execute(of).scalar()
        statement = _of_registry(statement, number or 0, last)
    elif last is not None:
        statement = statement.where(crawls.c.id < last)
    statement = statement.order_by(crawls.c.id.desc())
    rows = connection.execute(statement).all()
    items = tuple(from_row(RepositoryCrawlReport, row._mapping) for row in rows[:limit])
    following = write_cursor("crawls", items[-1].id) if len(rows) > limit else None
    return Page(items, following)


def find_crawl(connection: Connection, crawl_id: int) -> RepositoryCrawlReport | None:
    """One crawl by its id."""
    row = connection.execute(_CRAWLS.where(crawls.c.id == crawl_id)).one_or_none()
    return None if row is None else from_row(RepositoryCrawlReport, row._mapping)


def _of_registry(
    statement: Select[*tuple[object, ...]], registry_id: int, last: Key
) -> Select[*tuple[object, ...]]:
    """Not by `=`: it would leave PostgreSQL the choice to walk through all crawls, in
    the order of their ids, for a registry that has few of them."""
    place = crawls.c.registry_id
    behind = tuple_(literal(registry_id, place.type), literal(last, crawls.c.id.type))
    is_next = tuple_(place, crawls.c.id) < behind if last is not None else true()
    return statement.where(place.between(registry_id, registry_id), is_next).order_by(
        place.desc()
    )


def _named(registry: str | None, repository: str) -> Select[int]:
    of = select(_named_registry.c.id)
    if registry is not None:
        of = of.where(_named_registry.c.name == registry)
    # With every registry: an index of names begins with it.
    return select(_known.c.id).where(
        _known.c.registry_id.in_(of), _known.c.name == repository
    )
