"""`db recount`: every total of a registry counted anew, and written."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, exists, select, update

from weighbridge.domain.platform import Platform
from weighbridge.store.dialect import Purpose, lock
from weighbridge.store.differences import Difference, Names, differences
from weighbridge.store.locks import lock_repositories
from weighbridge.store.models import (
    blob_changes,
    pass_chunks,
    passes,
    registries,
    repositories,
    repository_blobs,
    repository_summaries,
    scope_blobs,
    storage_scopes,
)
from weighbridge.store.recounting import (
    count_held_rows,
    places_of,
    recount_repository,
    recount_scope,
    scopes_of,
    unaccounted_rows,
)
from weighbridge.store.repositories import put_summaries
from weighbridge.store.session import Database
from weighbridge.store.settler import settle_all
from weighbridge.store.summaries import refresh_summary
from weighbridge.store.verify import Watch
from weighbridge.store.wrongs import Wrong, repaired

_REGISTRY: Final = bindparam("registry")
_SCOPES: Final = select(storage_scopes.c.id).where(
    storage_scopes.c.registry_id == _REGISTRY
)
_QUEUED: Final = (
    select(blob_changes.c.scope_id)
    .where(blob_changes.c.scope_id.in_(_SCOPES))
    .distinct()
    .order_by(blob_changes.c.scope_id)
)
_UNQUEUE: Final = delete(blob_changes).where(blob_changes.c.scope_id.in_(_SCOPES))
_LEFTOVERS: Final = delete(pass_chunks).where(
    pass_chunks.c.pass_id.in_(
        select(passes.c.id)
        .join(repositories, repositories.c.id == passes.c.repository_id)
        .where(repositories.c.registry_id == _REGISTRY, passes.c.ended_at.is_not(None))
    )
)


def recount(
    database: Database,
    registry: str,
    platforms: Sequence[Platform],
    now: datetime,
    watch: Watch,
) -> list[Difference]:
    """Count all of a registry anew; what was wrong is right afterwards.

    One transaction, which the registry's own batches wait for. Returns what was
    changed. platforms: in which order they speak for an index. Raises StoreError.
    """
    settle_all(database)
    with database.write() as connection:
        registry_id: int = connection.execute(
            select(registries.c.id).where(registries.c.name == registry)
        ).scalar_one()
        _lock(connection, registry_id)
        names = Names()
        changed = [
            difference
            for wrong in repaired(connection, _wrongs(connection, registry_id, watch))
            for difference in differences(connection, wrong, names)
        ]
        changed += _shared(connection, registry_id, names, watch)
        connection.execute(_LEFTOVERS, {"registry": registry_id})
        for place in places_of(connection, registry_id):
            refresh_summary(connection, place.repository_id, now, platforms)
    return changed
