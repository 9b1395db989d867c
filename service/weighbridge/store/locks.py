"""Locks on rows, which SQLite does not need: there, one writes at a time."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, select

from weighbridge.store.dialect import among_ids, listed, settles_at_once
from weighbridge.store.models import repositories, repository_summaries

_LOCK: Final = (
    select(repositories.c.id)
    .where(among_ids(repositories.c.id))
    .order_by(repositories.c.id)
    .with_for_update()
)
_LOCK_SUMMARIES: Final = (
    select(repository_summaries.c.repository_id)
    .where(among_ids(repository_summaries.c.repository_id))
    .order_by(repository_summaries.c.repository_id)
    .with_for_update()
)


def lock_repositories(connection: Connection, repository_ids: Collection[int]) -> None:
    """Let no batch of these repositories run until we commit; those that run are
    waited for. Always sorted, so that two of us never wait for each other."""
    if not settles_at_once(connection.dialect):
        connection.execute(_LOCK, {"ids": listed(sorted(repository_ids))})


def lock_summaries(connection: Connection, repository_ids: Collection[int]) -> None:
    """Let nobody change these rows of the read model until we commit: what is read of
    sizes from now on is what is written to them. Sorted, as the settler locks them; the
    repositories themselves are locked before."""
    if not settles_at_once(connection.dialect):
        connection.execute(_LOCK_SUMMARIES, {"ids": listed(sorted(repository_ids))})
