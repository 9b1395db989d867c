"""Search by name: repositories first, then tags."""

from typing import Final

from sqlalchemy import Connection, func, select

from weighbridge.domain.report import SearchHit
from weighbridge.store.models import registries, repositories, tags
from weighbridge.store.paging import check_limit
from weighbridge.store.reports.names import could_be_in_a_name

_TAG_CHARACTERS: Final = 2
"""Shorter texts are looked for in repositories only: nearly every tag has them."""


def search(connection: Connection, q: str, limit: int) -> list[SearchHit]:
    """Repositories and live tags whose names hold the text, literally; shortest
    first. Raises UsageError(invalid_limit)."""
    check_limit(limit)
    if not could_be_in_a_name(q):
        return []
    hits = _repositories(connection, q, limit)
    if len(hits) < limit and len(q) >= _TAG_CHARACTERS:
        hits += _tags(connection, q, limit - len(hits))
    return hits


def _repositories(connection: Connection, q: str, limit: int) -> list[SearchHit]:
    name = repositories.c.name
    rows = connection.execute(
        select(registries.c.name.label("registry"), name.label("repository"))
        .join_from(
            repositories, registries, registries.c.id == repositories.c.registry_id
        )
        .where(name.icontains(q, autoescape=True), repositories.c.gone_at.is_(None))
        .order_by(func.length(name), name, registries.c.name)
        .limit(limit)
    )
    return [SearchHit(row.registry, row.repository, None) for row in rows]


def _tags(connection: Connection, q: str, limit: int) -> list[SearchHit]:
    name = tags.c.name
    rows = connection.execute(
        select(
            registries.c.name.label("registry"),
            repositories.c.name.label("repository"),
            name.label("tag"),
        )
        .join_from(tags, repositories, repositories.c.id == tags.c.repository_id)
        .join(registries, registries.c.id == repositories.c.registry_id)
        .where(
            name.icontains(q, autoescape=True),
            tags.c.gone_at.is_(None),
            repositories.c.gone_at.is_(None),
        )
        .order_by(func.length(name), name, repositories.c.name, registries.c.name)
        .limit(limit)
    )
    return [SearchHit(row.registry, row.repository, row.tag) for row in rows]
