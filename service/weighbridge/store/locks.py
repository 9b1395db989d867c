"""Locks on rows, which SQLite does not need: there, one writes at a time; and a
transaction beside which no fact is kept and no ledger changes.

Whoever keeps facts shares the lock of pruning (`images.keep_documents`); whoever
changes a ledger begins with its repository's row (`claiming.hold`). With both kept
out, what nothing refers to stays so until it is removed, and what a blob counts can
change without a batch that has read the size before. Only the settler works on: what it
has in hand shows in its queue.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, select

from weighbridge.store.dialect import (
    Purpose,
    among_ids,
    listed,
    lock,
    lock_writers_out,
    settles_at_once,
    wait_at_most,
)
from weighbridge.store.models import (
    repositories,
    repository_manifests,
    repository_summaries,
)
from weighbridge.store.session import Database

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
_PATIENCE_S: Final = 5
_LIVE: Final = select(repository_manifests.c.manifest_id).where(
    among_ids(repository_manifests.c.manifest_id)
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


@contextmanager
def alone(database: Database) -> Iterator[Connection]:
    """A short transaction beside readers and the settler only.

    Raises StoreError(database_busy) where others do not come to an end: they are not
    to be kept waiting for us.
    """
    with database.write() as connection:
        be_alone(connection)
        yield connection


def be_alone(connection: Connection) -> None:
    """The same from the first statement of a transaction on."""
    wait_at_most(connection, _PATIENCE_S)
    # In this order: a keeper of facts may go on to lock repositories.
    lock(connection, Purpose.PRUNE)
    lock_writers_out(connection, repositories)


def find_live(connection: Connection, manifest_ids: Collection[int]) -> set[int]:
    """Those manifests that some repository leads to."""
    return set(connection.execute(_LIVE, {"ids": listed(manifest_ids)}).scalars())
