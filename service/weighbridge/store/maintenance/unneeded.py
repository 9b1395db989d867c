"""Facts that nothing leads to: manifests that no tag needs, and blobs that nothing
refers to.

Of manifests the contents go, what history shows stays, in two ways. A manifest that a
tag once pointed to, or that such an index lists, loses its layers and lines after a
time; its row among the images stays, with size and platform, for the history of its
tags. One that no history knows (of a repository that was forgotten, or read by a crawl
that was cut off) goes whole after a day.

Which blobs nothing refers to takes a walk over every table that names blobs, for which
nobody is kept waiting. What was kept since then is looked at again, alone, before a few
of them are deleted.
"""

from collections.abc import Callable, Iterator, Sequence, Set
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import (
    BindParameter,
    Column,
    CompoundSelect,
    Connection,
    Delete,
    Select,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
    union,
    update,
)

from weighbridge.store.dialect import BulkDelete, among_ids, listed
from weighbridge.store.facts.images import forget_touched, set_mark, touched_since
from weighbridge.store.ledger.expressions import HAS_FACTS
from weighbridge.store.ledger.holders import find_held
from weighbridge.store.locks import alone, find_live
from weighbridge.store.models import (
    KEPT_STATES,
    artifacts,
    blob_changes,
    blob_sizes,
    blobs,
    disputes,
    images,
    index_members,
    layers,
    lines,
    manifest_sizes,
    repository_blobs,
    repository_manifests,
    scope_blobs,
    tag_moves,
    tags,
)
from weighbridge.store.models.types import Moment
from weighbridge.store.session import Database

_GRACE: Final = timedelta(days=1)
"""Facts are kept before the tags that need them: younger ones may wait for theirs."""
_ROUND: Final = 20_000
_PIECE: Final = 500

_move = tag_moves.c
_index = blobs.alias("index_blob")
_AFTER: Final[BindParameter[int]] = bindparam("after")
# Ids are given in the order of time, so that what was a target then is older than it.
_NEWEST: Final = select(func.max(_move.target_id)).where(
    _move.seen_from <= bindparam("moment", type_=Moment())
)
_LISTED: Final = (
    select(index_members.c.child_id)
    .join(_index, _index.c.id == index_members.c.index_id)
    .where(_index.c.facts_state.in_(KEPT_STATES))
)
_NOT_LIVE: Final = ~exists().where(repository_manifests.c.manifest_id == blobs.c.id)


def _next(dead: CompoundSelect[int]) -> Select[int]:
    found = dead.subquery()
    return select(found.c.id).order_by(found.c.id).limit(_ROUND)


_EMPTIABLE: Final = _next(
    select(blobs.c.id)
    .where(
        blobs.c.id > _AFTER,
        blobs.c.id <= bindparam("newest"),
        blobs.c.facts_state.in_(("image", "index", "artifact")),
        _NOT_LIVE,
    )
    .except_(
        select(_move.target_id).where(
            or_(
                _move.seen_until.is_(None),
                _move.seen_until > bindparam("moment", type_=Moment()),
            )
        ),
        _LISTED,
    )
)
_kept = union(
    select(blobs.c.id).where(HAS_FACTS),
    select(images.c.id),
    select(artifacts.c.id),
    select(index_members.c.index_id),
).subquery()
_REMOVABLE: Final = _next(
    select(_kept.c.id)
    .where(_kept.c.id > _AFTER, _kept.c.id <= bindparam("newest"))
    .except_(
        select(repository_manifests.c.manifest_id),
        select(_move.target_id),
        select(tags.c.target_id),
        select(index_members.c.child_id),
    )
)
_CONTENTS: Final = (
    delete(layers).where(among_ids(layers.c.image_id)),
    delete(lines).where(among_ids(lines.c.image_id)),
)
_ROWS: Final = (
    *_CONTENTS,
    delete(images).where(among_ids(images.c.id)),
    delete(artifacts).where(among_ids(artifacts.c.id)),
    delete(index_members).where(among_ids(index_members.c.index_id)),
)
# A code with which a crawl asks again, should a tag lead to it after all.
_UNREAD: Final = (
    update(blobs)
    .where(among_ids(blobs.c.id), HAS_FACTS)
    .values(facts_state="missing", facts_code="child_missing")
)


class _UnneededRows(NamedTuple):
    """What is found by a statement within bounds, and what is removed of it."""

    statement: Select[int]
    bounds: dict[str, object]
    removals: Sequence[Delete]


def prune_manifests(
    database: Database,
    keep: timedelta | None,
    now: datetime,
    is_stopped: Callable[[], bool],
) -> int:
    """Remove the contents of manifests that no tag has led to for longer than `keep`,
    and all of those that no history knows; returns how many."""
    with alone(database) as connection:
        parameters = {"moment": now - _GRACE}
        newest: int | None = connection.execute(_NEWEST, parameters).scalar()
        mark = set_mark(connection)
    if newest is None:
        return 0
    bounds: dict[str, object] = {"newest": newest}
    removed = _all(database, _UnneededRows(_REMOVABLE, bounds, _ROWS), mark, is_stopped)
    if keep is not None:
        bounds = {"newest": newest, "moment": now - max(keep, _GRACE)}
        emptiable = _UnneededRows(_EMPTIABLE, bounds, _CONTENTS)
        removed += _all(database, emptiable, mark, is_stopped)
    return removed


def _all(
    database: Database, kind: _UnneededRows, mark: int, is_stopped: Callable[[], bool]
) -> int:
    """Until nothing more is found: what an index listed is free once that is gone."""
    removed = 0
    while not is_stopped():
        count = 0
        for piece in _pieces(database, kind):
            if is_stopped():
                break
            with alone(database) as connection:
                touched = touched_since(connection, mark)
                if touched is None:
                    return removed + count
                doomed = [manifest for manifest in piece if manifest not in touched]
                count += _remove(connection, doomed, kind.removals)
        removed += count
        if count == 0:
            break
    return removed


def _pieces(database: Database, kind: _UnneededRows) -> Iterator[Sequence[int]]:
    after = -1
    while True:
        with database.read() as connection:
            found = list(
                connection.execute(
                    kind.statement, {**kind.bounds, "after": after}
                ).scalars()
            )
        for start in range(0, len(found), _PIECE):
            yield found[start : start + _PIECE]
        if len(found) < _ROUND:
            return
        after = found[-1]


def _remove(
    connection: Connection, manifests: Sequence[int], removals: Sequence[Delete]
) -> int:
    """Returns how many: a tag may lead to some of them by now, and what an image
    holds as its layer counts as the image that it is."""
    needed = find_live(connection, manifests) | find_held(connection, manifests)
    doomed = [manifest for manifest in manifests if manifest not in needed]
    parameters = {"ids": listed(doomed)}
    for statement in removals:
        connection.execute(statement, parameters)
    connection.execute(_UNREAD, parameters)
    return len(doomed)


_WINDOW: Final = 1_000_000
"""Ids that are looked at together."""
_BLOBS: Final = 2_000

_REFERENCES: Final = (
    layers.c.blob_id,
    layers.c.image_id,
    images.c.id,
    images.c.config_id,
    artifacts.c.id,
    artifacts.c.config_id,
    index_members.c.index_id,
    index_members.c.child_id,
    tags.c.target_id,
    tag_moves.c.target_id,
    repository_manifests.c.manifest_id,
    repository_blobs.c.blob_id,
    scope_blobs.c.blob_id,
    blob_changes.c.blob_id,
)


def _within(column: Column[int]) -> Select[int]:
    return select(column).where(
        column > bindparam("after"), column <= bindparam("last")
    )


# Never the newest row: SQLite would give its id to another blob.
_ORPHANS: Final = (
    _within(blobs.c.id)
    .where(~HAS_FACTS, blobs.c.id < bindparam("newest"))
    .except_(*map(_within, _REFERENCES))
)
_NEWEST_BLOB: Final = select(func.max(blobs.c.id))
# Who names a blob since then is newer, or its facts came late.
_NAMES: Final = (
    (layers.c.image_id, layers.c.blob_id),
    (images.c.id, images.c.config_id),
    (artifacts.c.id, artifacts.c.config_id),
    (index_members.c.index_id, index_members.c.child_id),
)
_NAMED_SINCE: Final = tuple(
    select(column).where(key > bindparam("newest"), among_ids(column))
    for key, column in _NAMES
)
_NAMED_BY_TOUCHED: Final = tuple(
    select(column).where(among_ids(key, "touched"), among_ids(column))
    for key, column in _NAMES
)
_DELETE: Final = delete(blobs).where(among_ids(blobs.c.id), ~HAS_FACTS)
# As no index leads to a blob's rows, all are read, for which nobody waits.
_LEFT_OVER: Final = tuple(
    (
        select(*table.primary_key.columns).where(~exists().where(blobs.c.id == blob)),
        BulkDelete(table, key=[column.name for column in table.primary_key.columns]),
    )
    for table, blob in (
        (blob_sizes, blob_sizes.c.blob_id),
        (manifest_sizes, manifest_sizes.c.manifest_id),
        (disputes, disputes.c.manifest_id),
    )
)


class _BegunMoment(NamedTuple):
    """The moment at which everything that is under way had ended.

    newest: the last id of that time; what is kept since is newer
    mark:   behind what had been touched, see `facts.images.set_mark`
    """

    newest: int
    mark: int


def prune_blobs(database: Database, is_stopped: Callable[[], bool]) -> int:
    """Delete blobs that nothing refers to; returns how many."""
    begun = _begin(database)
    removed = 0
    for orphans in _walk(database, begun.newest):
        for start in range(0, len(orphans), _BLOBS):
            if is_stopped():
                return removed
            piece = orphans[start : start + _BLOBS]
            with alone(database) as connection:
                touched = touched_since(connection, begun.mark)
                if touched is None:
                    return removed
                removed += _delete(connection, piece, begun.newest, touched)
        if is_stopped():
            return removed
    _drop_left_over(database)
    with database.write() as connection:
        forget_touched(connection, begun.mark)
    return removed


def _begin(database: Database) -> _BegunMoment:
    with alone(database) as connection:
        newest: int = connection.execute(_NEWEST_BLOB).scalar() or 0
        return _BegunMoment(newest, set_mark(connection))


def _walk(database: Database, newest: int) -> Iterator[Sequence[int]]:
    """Blobs that nothing refers to, with all that had been kept when we began."""
    for after in range(0, newest, _WINDOW):
        bounds = {"after": after, "last": after + _WINDOW, "newest": newest}
        with database.read() as connection:
            yield sorted(connection.execute(_ORPHANS, bounds).scalars())


def _delete(
    connection: Connection, orphans: Sequence[int], newest: int, touched: Set[int]
) -> int:
    of_touched = listed(sorted(touched))
    parameters = {"ids": listed(orphans), "newest": newest, "touched": of_touched}
    named = find_live(connection, orphans) | find_held(connection, orphans) | touched
    for statement in (*_NAMED_SINCE, *(_NAMED_BY_TOUCHED if touched else ())):
        named.update(connection.execute(statement, parameters).scalars())
    doomed = [blob for blob in orphans if blob not in named]
    return connection.execute(_DELETE, {"ids": listed(doomed)}).rowcount


def _drop_left_over(database: Database) -> None:
    """What registries said of blobs that are no more."""
    for statement, rows in _LEFT_OVER:
        with database.read() as connection:
            keys = [tuple(row) for row in connection.execute(statement)]
        for start in range(0, len(keys), _BLOBS):
            with database.write() as connection:
                rows.remove(connection, keys[start : start + _BLOBS])
