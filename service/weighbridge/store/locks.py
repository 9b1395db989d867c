"""Locks on rows, which SQLite does not need: there, one writes at a time."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, select

from weighbridge.store.dialect import among_ids, listed, settles_at_once
from weighbridge.store.models import repositories

_LOCK: Final = (
    select(repositories.c.id)
    .where(among_ids(repositories.c.id))
    .order_by(repositories.c.id)
    .with_for_update()
)


def lock_repositories(connection: Connection, repository_ids: Collection[int]) -> None:
    """Let no batch of these repositories run until we commit; those that run are
    waited for. Always sorted, so that two of us never wait for each other."""
    if not settles_at_once(connection.dialect):
        connection.execute(_LOCK, {"ids": listed(sorted(repository_ids))})
