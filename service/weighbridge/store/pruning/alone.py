"""A transaction beside which no fact is kept and no ledger changes.

Whoever keeps facts shares the lock of pruning (`images.keep_documents`); whoever
changes a ledger begins with its repository's row (`claiming.hold`). With both kept
out, what nothing refers to stays so until it is removed. Only the settler works on:
what it has in hand shows in its queue.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Column, Connection, Select, func, select

from weighbridge.store.dialect import (
    Purpose,
    among_ids,
    listed,
    lock,
    lock_writers_out,
    wait_at_most,
)
from weighbridge.store.models import (
    blob_changes,
    repositories,
    repository_blobs,
    repository_manifests,
    scope_blobs,
    storage_scopes,
)
from weighbridge.store.session import Database

_PATIENCE_S: Final = 5
_MOST_PROBES: Final = 200_000
"""Beyond so many, one walk over all rows is faster than a probe in each scope."""

_SCOPES: Final = select(func.count()).select_from(storage_scopes)
_LIVE: Final = select(repository_manifests.c.manifest_id).where(
    among_ids(repository_manifests.c.manifest_id)
)
_QUEUED: Final = select(blob_changes.c.blob_id).where(among_ids(blob_changes.c.blob_id))
_HELD: Final = select(repository_blobs.c.blob_id).where(
    among_ids(repository_blobs.c.blob_id)
)
_SETTLED: Final = select(scope_blobs.c.blob_id).where(among_ids(scope_blobs.c.blob_id))


def _by_scope(statement: Select[int], scope: Column[int]) -> Select[int]:
    return statement.join_from(
        storage_scopes, scope.table, scope == storage_scopes.c.id
    )


_PROBES: Final = (
    _by_scope(_HELD, repository_blobs.c.scope_id),
    _by_scope(_SETTLED, scope_blobs.c.scope_id),
)


@contextmanager
def alone(database: Database) -> Iterator[Connection]:
    """A short transaction beside readers and the settler only.

    Raises StoreError(database_busy) where others do not come to an end: they are not
    to be kept waiting for us.
    """
    with database.write() as connection:
        wait_at_most(connection, _PATIENCE_S)
        # In this order: a keeper of facts may go on to lock repositories.
        lock(connection, Purpose.PRUNE)
        lock_writers_out(connection, repositories)
        yield connection


def find_live(connection: Connection, manifest_ids: Collection[int]) -> set[int]:
    """Those manifests that some repository leads to."""
    return set(connection.execute(_LIVE, {"ids": listed(manifest_ids)}).scalars())


def find_held(connection: Connection, blob_ids: Collection[int]) -> set[int]:
    """Those blobs that some repository holds, or that wait to be settled."""
    parameters = {"ids": listed(blob_ids)}
    scopes: int = connection.execute(_SCOPES).scalar_one()
    is_few = scopes * len(blob_ids) <= _MOST_PROBES
    found: set[int] = set()
    for statement in (_QUEUED, *(_PROBES if is_few else (_HELD, _SETTLED))):
        found.update(connection.execute(statement, parameters).scalars())
    return found
