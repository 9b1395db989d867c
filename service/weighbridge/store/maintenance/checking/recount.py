"""`db recount`: every total of a registry counted anew, and written.

Histories of tags that do not end where the tag points are put right before: what a tag
points to is what was seen last, so it is believed, and its history is closed or begun
to agree with it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import (
    BindParameter,
    Connection,
    bindparam,
    case,
    delete,
    exists,
    insert,
    or_,
    select,
    update,
)

from weighbridge.domain.image.platform import Platform
from weighbridge.store.connection.deadlines import unhurried
from weighbridge.store.ledger.scopes import (
    LedgerPlace,
    lock_settling,
    parts_of,
    scopes_beside,
)
from weighbridge.store.ledger.settling import settle_all
from weighbridge.store.locks import lock_repositories
from weighbridge.store.maintenance.checking.differences import (
    Difference,
    NamesOfIds,
    Watch,
    differences,
    mend_sums,
    repaired,
)
from weighbridge.store.maintenance.checking.recounting import (
    places_of,
    recount_claims,
    recount_repositories,
    recount_scope,
    recount_scopes,
    recount_weights,
    scopes_of,
)
from weighbridge.store.models import (
    blob_changes,
    crawl_chunks,
    crawls,
    registries,
    repositories,
    repository_manifests,
    repository_summaries,
    scope_blobs,
    storage_scopes,
    tag_moves,
    tags,
)
from weighbridge.store.models.types import Moment
from weighbridge.store.read_model.summaries import refresh_summary
from weighbridge.store.registries.repository_rows import put_empty_summaries
from weighbridge.store.session import Database

_REGISTRY: Final[BindParameter[int]] = bindparam("registry")

_move = tag_moves.c
_later = tag_moves.alias("later")
_NOW: Final[BindParameter[datetime]] = bindparam("moment", type_=Moment())
_OF_REGISTRY: Final = (
    select(tags.c.id)
    .join(repositories, repositories.c.id == tags.c.repository_id)
    .where(repositories.c.registry_id == _REGISTRY)
)
_BACKWARDS: Final = (
    update(tag_moves)
    .where(_move.tag_id.in_(_OF_REGISTRY), _move.seen_until < _move.seen_from)
    .values(seen_until=_move.seen_from)
)
_CLOSE: Final = (
    update(tag_moves)
    .where(
        _move.tag_id.in_(_OF_REGISTRY),
        _move.seen_until.is_(None),
        or_(
            ~exists().where(
                tags.c.id == _move.tag_id,
                tags.c.deleted_at.is_(None),
                tags.c.target_id == _move.target_id,
            ),
            # Of two that are open the later one is.
            exists().where(
                _later.c.tag_id == _move.tag_id,
                _later.c.seen_from > _move.seen_from,
                _later.c.target_id == _move.target_id,
                _later.c.seen_until.is_(None),
            ),
        ),
    )
    .values(seen_until=case((_move.seen_from > _NOW, _move.seen_from), else_=_NOW))
)
_OPEN: Final = insert(tag_moves).from_select(
    ["tag_id", "seen_from", "target_id", "pushed_at"],
    select(tags.c.id, _NOW, tags.c.target_id, tags.c.pushed_at)
    .join(repositories, repositories.c.id == tags.c.repository_id)
    .where(
        repositories.c.registry_id == _REGISTRY,
        tags.c.deleted_at.is_(None),
        tags.c.target_id.is_not(None),
        ~exists().where(_move.tag_id == tags.c.id, _move.seen_until.is_(None)),
    ),
)


def mend_moves(connection: Connection, registry_id: int, now: datetime) -> None:
    """Close open entries of a registry's tags that are not true, open what lacks."""
    parameters = {"registry": registry_id, "moment": now}
    connection.execute(_BACKWARDS, {"registry": registry_id})
    connection.execute(_CLOSE, parameters)
    connection.execute(_OPEN, parameters)


_SCOPES: Final = select(storage_scopes.c.id).where(
    storage_scopes.c.registry_id == _REGISTRY
)
_QUEUED: Final = (
    select(blob_changes.c.scope_id)
    .where(blob_changes.c.scope_id.in_(_SCOPES))
    .distinct()
)
_UNQUEUE: Final = delete(blob_changes).where(blob_changes.c.scope_id.in_(_SCOPES))
_LEFTOVERS: Final = delete(crawl_chunks).where(
    crawl_chunks.c.crawl_id.in_(
        select(crawls.c.id)
        .join(repositories, repositories.c.id == crawls.c.repository_id)
        .where(repositories.c.registry_id == _REGISTRY, crawls.c.ended_at.is_not(None))
    )
)
_NO_SUMMARY: Final = select(repositories.c.id).where(
    repositories.c.registry_id == _REGISTRY,
    ~exists().where(repository_summaries.c.repository_id == repositories.c.id),
)
# Rows of the ledger that belong to nobody's repository or scope.
_ORPHANS: Final = (
    delete(repository_manifests).where(
        ~exists().where(repositories.c.id == repository_manifests.c.repository_id)
    ),
    delete(scope_blobs).where(
        ~exists().where(storage_scopes.c.id == scope_blobs.c.scope_id)
    ),
    delete(blob_changes).where(
        ~exists().where(storage_scopes.c.id == blob_changes.c.scope_id)
    ),
    delete(tag_moves).where(~exists().where(tags.c.id == tag_moves.c.tag_id)),
)


@unhurried()
def recount(
    database: Database,
    registry: str,
    platforms: Sequence[Platform] | None,
    now: datetime,
    watch: Watch,
) -> list[Difference]:
    """Count all of a registry anew; what was wrong is right afterwards.

    One transaction, which the registry's own batches wait for. Returns what was
    changed, but for columns of the read model that are made anew in any case.
    platforms: in which order they speak for an index; None where nobody knows.
    Raises StoreError.
    """
    settle_all(database)
    with database.write() as connection:
        registry_id: int = connection.execute(
            select(registries.c.id).where(registries.c.name == registry)
        ).scalar_one()
        places = _lock(connection, registry_id)
        names = NamesOfIds()
        _mend(connection, registry_id, now)
        scopes = scopes_of(connection, registry_id)
        changed: list[Difference] = []
        # All is made of what blobs count, and what is shared of what each repository
        # holds: in this order.
        for part in (
            recount_claims(connection),
            recount_scopes(connection, scopes, [recount_weights], "sizes", watch),
            recount_repositories(connection, registry_id, places, watch),
            # Who shares what with it in other entries of its address counts as well.
            recount_scopes(
                connection,
                parts_of(connection, scopes),
                [recount_scope],
                "storage scopes",
                watch,
            ),
        ):
            for wrong in repaired(connection, part):
                changed += differences(connection, wrong, names)
        for done, place in enumerate(places):
            watch("summaries", done, len(places))
            refresh_summary(connection, place.repository_id, now, platforms)
        changed += mend_sums(connection, registry_id)
    return changed


def _lock(connection: Connection, registry_id: int) -> Sequence[LedgerPlace]:
    """No batch of the registry runs until we commit, nor its settler. Returns its
    repositories: one that is found from now on is not ours to count."""
    places = places_of(connection, registry_id)
    lock_repositories(connection, [place.repository_id for place in places])
    # A settler that has taken rows and not committed yet still shows them to us.
    parameters = {"registry": registry_id}
    lock_settling(connection, _unsettled(connection, registry_id))
    connection.execute(_UNQUEUE, parameters)
    return places


def _unsettled(connection: Connection, registry_id: int) -> Collection[int]:
    """Scopes of the registry that a settler may be at. Where another entry has its
    address, that is any of them at any time: its batches go on."""
    beside = scopes_beside(connection, registry_id)
    queued = connection.execute(_QUEUED, {"registry": registry_id}).scalars()
    return {*beside, *queued}


def _mend(connection: Connection, registry_id: int, now: datetime) -> None:
    """Remove what is left over, add what is always there, and let histories end
    where their tags point."""
    parameters = {"registry": registry_id}
    connection.execute(_LEFTOVERS, parameters)
    for orphans in _ORPHANS:
        connection.execute(orphans)
    without = list(connection.execute(_NO_SUMMARY, parameters).scalars())
    put_empty_summaries(connection, without, now, is_stale=True)
    mend_moves(connection, registry_id, now)
