"""`db recount`: every total of a registry counted anew, and written.

Histories of tags that do not end where the tag points are put right before: what a tag
points to is what was seen last, so it is believed, and its history is closed or begun
to agree with it.

Before that, facts that are not whole are dropped, so that the next crawl reads them
again: what a document said cannot be counted anew. A manifest of which a part is lost
is marked as one that its index lists and nobody could read; a tag whose target is lost,
as one that was never read. Totals are wrong until every registry has been recounted.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    union,
    update,
)

from weighbridge.domain.image.platform import Platform
from weighbridge.store.connection.deadlines import unhurried
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.ledger.expressions import HAS_FACTS
from weighbridge.store.ledger.scopes import (
    LedgerPlace,
    lock_settling,
    parts_of,
    scopes_beside,
)
from weighbridge.store.ledger.settling import settle_all
from weighbridge.store.locks import alone, lock_repositories
from weighbridge.store.maintenance.checking.differences import (
    Difference,
    NamesOfIds,
    Wrong,
    differences,
    mend_sums,
    repaired,
)
from weighbridge.store.maintenance.checking.recounting import (
    count_held_rows,
    places_of,
    recount_claims,
    recount_repository,
    recount_scope,
    recount_weights,
    scopes_of,
    unaccounted_rows,
)
from weighbridge.store.maintenance.checking.verify import Watch
from weighbridge.store.models import (
    artifacts,
    blob_changes,
    blobs,
    crawl_chunks,
    crawls,
    images,
    index_members,
    layers,
    lines,
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

_PIECE: Final = 1_000
_other = blobs.alias("other")


def _is_absent(column: Column[int]) -> ColumnElement[bool]:
    return and_(column.is_not(None), ~exists().where(_other.c.id == column))


def _is(state: str) -> ColumnElement[bool]:
    return blobs.c.facts_state == state


def _without(row: Column[int], state: str) -> Select[int]:
    return select(blobs.c.id).where(_is(state), ~exists().where(row == blobs.c.id))


_layer_count = (
    select(func.count()).where(layers.c.image_id == images.c.id).scalar_subquery()
)
_DAMAGED: Final = union(
    _without(images.c.id, "image"),
    _without(lines.c.image_id, "image"),
    _without(artifacts.c.id, "artifact"),
    select(images.c.id)
    .join(blobs, blobs.c.id == images.c.id)
    .where(_is("image"), images.c.layer_count != _layer_count),
    select(images.c.id).where(_is_absent(images.c.config_id)),
    select(artifacts.c.id).where(_is_absent(artifacts.c.config_id)),
    select(layers.c.image_id).where(_is_absent(layers.c.blob_id)),
    select(index_members.c.index_id).where(_is_absent(index_members.c.child_id)),
)
_ROWS: Final = (
    (layers, layers.c.image_id),
    (lines, lines.c.image_id),
    (images, images.c.id),
    (artifacts, artifacts.c.id),
    (index_members, index_members.c.index_id),
)
# Also what a tag leads to, and nobody says was ever read.
_UNREAD: Final = (
    update(blobs)
    .where(among_ids(blobs.c.id))
    .values(facts_state="missing", facts_code="child_missing")
)
_NEVER_READ: Final = (
    select(blobs.c.id)
    .join(repository_manifests, repository_manifests.c.manifest_id == blobs.c.id)
    .where(~HAS_FACTS, _is("none"), repository_manifests.c.tag_count > 0)
    .distinct()
)


_LOST_TARGETS: Final = (
    update(tags).where(_is_absent(tags.c.target_id)).values(target_id=None)
)
_LOST_HISTORY: Final = delete(tag_moves).where(
    or_(
        _is_absent(tag_moves.c.target_id),
        ~exists().where(tags.c.id == tag_moves.c.tag_id),
    )
)
_LINES_ALONE: Final = delete(lines).where(
    ~exists().where(images.c.id == lines.c.image_id)
)


@unhurried()
def count_damaged(database: Database) -> int:
    """How many documents have lost a part."""
    with database.read() as connection:
        return len(_damaged(connection))


@unhurried()
def drop_damaged(database: Database) -> int:
    """Drop manifests of which a part is lost, and targets that are not there.

    Returns how many documents and tags are to be read again. Raises StoreError.
    """
    with alone(database) as connection:
        return _drop(connection)


def _drop(connection: Connection) -> int:
    unread = _damaged(connection)
    for start in range(0, len(unread), _PIECE):
        piece = {"ids": listed(unread[start : start + _PIECE])}
        for table, key in _ROWS:
            connection.execute(delete(table).where(among_ids(key)), piece)
        connection.execute(_UNREAD, piece)
    for table, key in _ROWS:
        connection.execute(delete(table).where(_is_absent(key)))
    connection.execute(_LINES_ALONE)
    connection.execute(_LOST_HISTORY)
    return len(unread) + connection.execute(_LOST_TARGETS).rowcount


def _damaged(connection: Connection) -> list[int]:
    damaged = connection.execute(_DAMAGED).scalars().all()
    return sorted({*damaged, *connection.execute(_NEVER_READ).scalars()})


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
        changed: list[Difference] = []
        # All is made of what blobs count, and what is shared of what each repository
        # holds: in this order.
        for part in (
            recount_claims(connection),
            _weights(connection, registry_id, watch),
            _repositories(connection, registry_id, places, watch),
            _scopes(connection, registry_id, watch),
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


def _repositories(
    connection: Connection,
    registry_id: int,
    places: Sequence[LedgerPlace],
    watch: Watch,
) -> Iterator[Wrong]:
    held_rows = count_held_rows(connection)
    for done, place in enumerate(places):
        watch("repositories", done, len(places))
        yield from recount_repository(connection, place, held_rows)
    everywhere = set(places_of(connection))
    scopes = set(scopes_of(connection, registry_id))
    others = set(scopes_of(connection)) - scopes
    for place in sorted(held_rows.keys() - everywhere):
        if place.scope_id not in others:
            yield from unaccounted_rows(connection, place)


def _weights(connection: Connection, registry_id: int, watch: Watch) -> Iterator[Wrong]:
    scopes = scopes_of(connection, registry_id)
    for done, scope in enumerate(scopes):
        watch("sizes", done, len(scopes))
        yield from recount_weights(connection, scope)


def _scopes(connection: Connection, registry_id: int, watch: Watch) -> Iterator[Wrong]:
    # Who shares what with it in other entries of its address is counted as well.
    scopes = parts_of(connection, scopes_of(connection, registry_id))
    for done, scope in enumerate(scopes):
        watch("storage scopes", done, len(scopes))
        yield from recount_scope(connection, scope)
