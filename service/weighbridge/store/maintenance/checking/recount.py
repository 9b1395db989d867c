"""`db recount`: every total of a registry counted anew, and written.

Histories of tags that do not end where the tag points are put right before: what a tag
points to is what was seen last, so it is believed, and its history is closed or begun
to agree with it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import (
    Connection,
    case,
    delete,
    exists,
    insert,
    literal,
    or_,
    select,
    update,
)

from weighbridge.domain.image.platform import Platform
from weighbridge.store.connection.deadlines import unhurried
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.ledger.scopes import (
    LedgerPlace,
    lock_settling,
    parts_of,
    scopes_beside,
)
from weighbridge.store.maintenance.checking.compared_bases import mend_bases
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
from weighbridge.store.session import Database, lock_repositories

_move = tag_moves.c
_later = tag_moves.alias("later")
# Rows that belong to nobody's repository, scope or tag.
_ORPHANS: Final = (
    (repository_manifests.c.repository_id, repositories.c.id),
    (scope_blobs.c.scope_id, storage_scopes.c.id),
    (blob_changes.c.scope_id, storage_scopes.c.id),
    (tag_moves.c.tag_id, tags.c.id),
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
        changed += mend_bases(connection, registry_id, now, names, watch)
    return changed


def _lock(connection: Connection, registry_id: int) -> Sequence[LedgerPlace]:
    """No batch of the registry runs until we commit, nor its settler. Returns its
    repositories: one that is found from now on is not ours to count."""
    places = places_of(connection, registry_id)
    lock_repositories(connection, [place.repository_id for place in places])
    is_ours = blob_changes.c.scope_id.in_(
        select(storage_scopes.c.id).where(storage_scopes.c.registry_id == registry_id)
    )
    # Scopes that a settler may be at. Where another entry has our address, that is any
    # of them at any time: its batches go on. A settler that has taken rows and not
    # committed yet still shows them to us.
    beside = scopes_beside(connection, registry_id)
    queued = select(blob_changes.c.scope_id).where(is_ours).distinct()
    lock_settling(connection, {*beside, *connection.execute(queued).scalars()})
    connection.execute(delete(blob_changes).where(is_ours))
    return places


def _mend(connection: Connection, registry_id: int, now: datetime) -> None:
    """Remove what is left over, add what is always there, and let histories end
    where their tags point."""
    is_ours = repositories.c.registry_id == registry_id
    ended = (
        select(crawls.c.id)
        .join(repositories, repositories.c.id == crawls.c.repository_id)
        .where(is_ours, crawls.c.ended_at.is_not(None))
    )
    connection.execute(delete(crawl_chunks).where(crawl_chunks.c.crawl_id.in_(ended)))
    for column, target in _ORPHANS:
        connection.execute(
            delete(column.table).where(~exists().where(target == column))
        )
    has_summary = exists().where(
        repository_summaries.c.repository_id == repositories.c.id
    )
    without = connection.execute(select(repositories.c.id).where(is_ours, ~has_summary))
    put_empty_summaries(connection, list(without.scalars()), now, is_stale=True)
    _mend_moves(connection, registry_id, now)


def _mend_moves(connection: Connection, registry_id: int, now: datetime) -> None:
    """Close open entries of a registry's tags that are not true, open what lacks."""
    moment = literal(now, Moment())
    ours = (
        select(tags.c.id)
        .join(repositories, repositories.c.id == tags.c.repository_id)
        .where(repositories.c.registry_id == registry_id)
    )
    of_ours = update(tag_moves).where(_move.tag_id.in_(ours))
    connection.execute(
        of_ours.where(_move.seen_until < _move.seen_from).values(
            seen_until=_move.seen_from
        )
    )
    is_true = exists().where(
        tags.c.id == _move.tag_id,
        tags.c.deleted_at.is_(None),
        tags.c.target_id == _move.target_id,
    )
    # Of two that are open the later one is.
    is_opened_later = exists().where(
        _later.c.tag_id == _move.tag_id,
        _later.c.seen_from > _move.seen_from,
        _later.c.target_id == _move.target_id,
        _later.c.seen_until.is_(None),
    )
    connection.execute(
        of_ours.where(
            _move.seen_until.is_(None), or_(~is_true, is_opened_later)
        ).values(
            seen_until=case((_move.seen_from > moment, _move.seen_from), else_=moment)
        )
    )
    lacking = ours.with_only_columns(
        tags.c.id, moment, tags.c.target_id, tags.c.pushed_at
    ).where(
        tags.c.deleted_at.is_(None),
        tags.c.target_id.is_not(None),
        ~exists().where(_move.tag_id == tags.c.id, _move.seen_until.is_(None)),
    )
    connection.execute(
        insert(tag_moves).from_select(
            ["tag_id", "seen_from", "target_id", "pushed_at"], lacking
        )
    )
