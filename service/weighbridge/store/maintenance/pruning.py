"""Pruning: removing what is older than its time and needed by nothing.

What a tag or a base's name leads to is never touched, nor is the history of tags. All
goes in small transactions, beside crawls, and may be stopped and begun at any point.

Of manifests that no tag needs the contents go, what history shows stays, in two ways.
One that a tag once pointed to, or that such an index lists, loses its layers and lines
after a time; its row among the images stays, with size and platform, for the history of
its tags. One that no history knows (of a repository that was forgotten, or read by a
crawl that was cut off) goes whole after a day.

Which blobs nothing refers to takes a walk over every table that names blobs, for which
nobody is kept waiting. What was kept since then is looked at again, alone, before a few
of them are deleted.
"""

from collections.abc import Callable, Iterator, Sequence, Set
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    CompoundSelect,
    Connection,
    Delete,
    Select,
    Table,
    bindparam,
    delete,
    exists,
    false,
    func,
    or_,
    select,
    union,
    update,
)

from weighbridge.domain.limits import Retention
from weighbridge.store.bases.base_names import IMAGES_OF_NAMES
from weighbridge.store.connection.deadlines import unhurried
from weighbridge.store.dialect import BulkDelete, Purpose, among_ids, listed, lock
from weighbridge.store.facts.images import forget_touched, set_mark, touched_since
from weighbridge.store.ledger.expressions import HAS_FACTS
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.ledger.scopes import find_held, find_live
from weighbridge.store.models import (
    KEPT_STATES,
    artifacts,
    blob_changes,
    blob_sizes,
    blobs,
    crawl_chunks,
    crawl_requests,
    crawls,
    disputes,
    image_bases,
    images,
    index_members,
    layers,
    lines,
    manifest_sizes,
    notification_groups,
    notifications,
    pushes,
    repository_blobs,
    repository_manifests,
    scope_blobs,
    tag_moves,
    tags,
    violations,
)
from weighbridge.store.models.types import Moment
from weighbridge.store.outbox.due_groups import WAITS
from weighbridge.store.session import Database, alone

_PIECE: Final = 2_000
_VIOLATIONS: Final = 1_000
_later = crawls.alias("later")


def _in_order(
    table: Table,
    began: Column[datetime],
    ended: Column[datetime | None],
    is_kept: ColumnElement[bool],
) -> Select[Any]:
    """The next rows; ids are in the order in which crawls began and pushes came."""
    return (
        select(
            table.c.id,
            began.label("began_at"),
            ended.label("ended_at"),
            is_kept.label("is_kept"),
        )
        .where(table.c.id > bindparam("after"))
        .order_by(table.c.id)
        .limit(_PIECE)
    )


# A repository's last crawl stays: it says why its numbers are as they are.
_is_last = ~exists().where(
    _later.c.repository_id == crawls.c.repository_id, _later.c.id > crawls.c.id
)
_CRAWLS: Final = _in_order(crawls, crawls.c.started_at, crawls.c.ended_at, _is_last)
_DROP_CRAWLS: Final = (
    delete(crawl_chunks).where(among_ids(crawl_chunks.c.crawl_id)),
    delete(crawls).where(among_ids(crawls.c.id)),
)
_PUSHES: Final = _in_order(pushes, pushes.c.received_at, pushes.c.done_at, false())
_DROP_PUSHES: Final = (
    delete(pushes).where(among_ids(pushes.c.id), pushes.c.done_at.is_not(None)),
)
_violation = violations.c
_group = notification_groups.c
_BEFORE: Final = bindparam("before", type_=Moment())
# One that somebody has just now is left for the next time: whoever judges takes its
# rows before the lock that we hold.
_OVER: Final = (
    select(_violation.id)
    .where(
        _violation.closed_at < _BEFORE,
        ~exists().where(notifications.c.violation_id == _violation.id, *WAITS),
    )
    .order_by(_violation.id)
    .limit(_VIOLATIONS)
    .with_for_update(skip_locked=True)
)
_DROP_VIOLATIONS: Final = (
    delete(notifications).where(among_ids(notifications.c.violation_id)),
    delete(violations).where(among_ids(_violation.id)),
)
_DROP_GROUPS: Final = delete(notification_groups).where(
    _group.next_at.is_(None),
    or_(_group.last_sent_at.is_(None), _group.last_sent_at < _BEFORE),
    _group.id.not_in(select(notifications.c.group_id)),
)


class Pruned(Struct, frozen=True):
    """What was removed.

    crawls:    records of crawls
    manifests: manifests whose contents (layers, lines, and so on) are not kept now
    blobs:     things that nothing refers to any more
    pushes:    what webhooks told
    violations: those that are over, with what was told of them
    """

    crawls: int
    manifests: int
    blobs: int
    pushes: int = 0
    violations: int = 0


@unhurried()
def prune(
    database: Database,
    retention: Retention,
    now: datetime,
    *,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Pruned:
    """Remove what is older than `retention` says and needed by no tag.

    is_stopped: asked between transactions; once True, the rest is left for the next
        time. Raises StoreError(database_busy, ...); what was removed before that
        stays removed.
    """
    settle_all(database)  # what waits to be settled counts as held
    crawled = told = 0
    if retention.crawls is not None:
        before = now - retention.crawls
        crawled = _prune_ended(database, _CRAWLS, _DROP_CRAWLS, before, is_stopped)
        # There are as many as people and their programs make: one statement will do.
        with database.write() as connection:
            connection.execute(
                delete(crawl_requests).where(crawl_requests.c.ended_at < before)
            )
    if retention.pushes is not None:
        before = now - retention.pushes
        told = _prune_ended(database, _PUSHES, _DROP_PUSHES, before, is_stopped)
    over = prune_notifications(database, retention.notifications, now, is_stopped)
    manifests = prune_manifests(database, retention.untagged_images, now, is_stopped)
    blobs = prune_blobs(database, is_stopped)
    return Pruned(crawled, manifests, blobs, told, over)


def _prune_ended(
    database: Database,
    following: Select[Any],
    removals: Sequence[Delete],
    before: datetime,
    is_stopped: Callable[[], bool],
) -> int:
    """Remove crawls, or pushes, that ended before; returns how many. What goes on, or
    waits to be handled, stays."""
    removed, after = 0, -1
    while not is_stopped():
        with database.read() as connection:
            rows = connection.execute(following, {"after": after}).all()
        ended = (r for r in rows if r.ended_at is not None and not r.is_kept)
        old = [row.id for row in ended if row.ended_at < before]
        if old:
            with database.write() as connection:
                for removal in removals:
                    connection.execute(removal, {"ids": listed(old)})
        removed += len(old)
        if len(rows) < _PIECE or rows[-1].began_at > before:
            break
        after = rows[-1].id
    return removed


def prune_notifications(
    database: Database,
    keep: timedelta | None,
    now: datetime,
    is_stopped: Callable[[], bool],
) -> int:
    """Remove violations that ended longer ago than `keep`, and what was told of them;
    returns how many. What is open keeps all that was told of it: its end is told
    wherever its beginning was."""
    if keep is None:
        return 0
    removed, count, before = 0, _VIOLATIONS, {"before": now - keep}
    while count == _VIOLATIONS and not is_stopped():
        with database.write() as connection:
            lock(connection, Purpose.TELL)
            over = connection.execute(_OVER, before).scalars().all()
            for removal in _DROP_VIOLATIONS:
                connection.execute(removal, {"ids": listed(over)})
            connection.execute(_DROP_GROUPS, before)
        count = len(over)
        removed += count
    return removed


_GRACE: Final = timedelta(days=1)
"""Facts are kept before the tags that need them: younger ones may wait for theirs."""
_ROUND: Final = 20_000
_MANIFESTS_AT_ONCE: Final = 500

_move = tag_moves.c
_index = blobs.alias("index_blob")
_AFTER: Final[BindParameter[int]] = bindparam("after")


def _next(dead: CompoundSelect[int]) -> Select[int]:
    found = dead.subquery()
    return select(found.c.id).order_by(found.c.id).limit(_ROUND)


_EMPTIABLE: Final = _next(
    select(blobs.c.id)
    .where(
        blobs.c.id > _AFTER,
        blobs.c.id <= bindparam("newest"),
        blobs.c.facts_state.in_(("image", "index", "artifact")),
        ~exists().where(repository_manifests.c.manifest_id == blobs.c.id),
    )
    .except_(
        select(_move.target_id).where(
            or_(
                _move.seen_until.is_(None),
                _move.seen_until > bindparam("moment", type_=Moment()),
            )
        ),
        select(index_members.c.child_id)
        .join(_index, _index.c.id == index_members.c.index_id)
        .where(_index.c.facts_state.in_(KEPT_STATES)),
        IMAGES_OF_NAMES,
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
        IMAGES_OF_NAMES,
    )
)
_CONTENTS: Final = (
    delete(layers).where(among_ids(layers.c.image_id)),
    delete(lines).where(among_ids(lines.c.image_id)),
)
_WHOLE: Final = (
    *_CONTENTS,
    delete(images).where(among_ids(images.c.id)),
    delete(image_bases).where(among_ids(image_bases.c.image_id)),
    delete(artifacts).where(among_ids(artifacts.c.id)),
    delete(index_members).where(among_ids(index_members.c.index_id)),
)
# A code with which a crawl asks again, should a tag lead to it after all.
_UNREAD: Final = (
    update(blobs)
    .where(among_ids(blobs.c.id), HAS_FACTS)
    .values(facts_state="missing", facts_code="child_missing")
)


def prune_manifests(
    database: Database,
    keep: timedelta | None,
    now: datetime,
    is_stopped: Callable[[], bool],
) -> int:
    """Remove the contents of manifests that no tag has led to for longer than `keep`,
    and all of those that no history knows; returns how many."""
    with alone(database) as connection:
        # Ids are in the order of time: what was a target then is older than it.
        newest: int | None = connection.execute(
            select(func.max(_move.target_id)).where(_move.seen_from <= now - _GRACE)
        ).scalar()
        mark = set_mark(connection)
    if newest is None:
        return 0
    bounds: dict[str, object] = {"newest": newest}
    removed = _remove_all(database, _REMOVABLE, bounds, _WHOLE, mark, is_stopped)
    if keep is not None:
        bounds["moment"] = now - max(keep, _GRACE)
        removed += _remove_all(
            database, _EMPTIABLE, bounds, _CONTENTS, mark, is_stopped
        )
    return removed


def _remove_all(
    database: Database,
    found: Select[int],
    bounds: dict[str, object],
    removals: Sequence[Delete],
    mark: int,
    is_stopped: Callable[[], bool],
) -> int:
    """Until nothing more is found: what an index listed is free once that is gone."""
    removed = 0
    while not is_stopped():
        count = 0
        for piece in _pieces(database, found, bounds):
            if is_stopped():
                break
            with alone(database) as connection:
                touched = touched_since(connection, mark)
                if touched is None:
                    return removed + count
                count += _remove_some(connection, set(piece) - touched, removals)
        removed += count
        if count == 0:
            break
    return removed


def _pieces(
    database: Database, found: Select[int], bounds: dict[str, object]
) -> Iterator[Sequence[int]]:
    after = -1
    while True:
        with database.read() as connection:
            ids = list(connection.execute(found, {**bounds, "after": after}).scalars())
        for start in range(0, len(ids), _MANIFESTS_AT_ONCE):
            yield ids[start : start + _MANIFESTS_AT_ONCE]
        if len(ids) < _ROUND:
            return
        after = ids[-1]


def _remove_some(
    connection: Connection, manifests: Set[int], removals: Sequence[Delete]
) -> int:
    """Returns how many: a tag may lead to some of them by now, and what an image
    holds as its layer counts as the image that it is."""
    doomed = sorted(
        manifests - find_live(connection, manifests) - find_held(connection, manifests)
    )
    parameters = {"ids": listed(doomed)}
    for statement in removals:
        connection.execute(statement, parameters)
    connection.execute(_UNREAD, parameters)
    return len(doomed)


_WINDOW: Final = 1_000_000
"""Ids that are looked at together."""
_BLOBS: Final = 2_000

# Who names a blob, and what.
_NAMES: Final = (
    (layers.c.image_id, layers.c.blob_id),
    (images.c.id, images.c.config_id),
    (artifacts.c.id, artifacts.c.config_id),
    (index_members.c.index_id, index_members.c.child_id),
)
_REFERENCES: Final = (
    *chain.from_iterable(_NAMES),
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
# Who names a blob since a walk began is newer, or its facts came late.
_NAMED_SINCE: Final = tuple(
    select(column).where(key > bindparam("newest"), among_ids(column))
    for key, column in _NAMES
)
_NAMED_BY_TOUCHED: Final = tuple(
    select(column).where(among_ids(key, "touched"), among_ids(column))
    for key, column in _NAMES
)
_DELETE_BLOBS: Final = delete(blobs).where(among_ids(blobs.c.id), ~HAS_FACTS)
# What registries said of blobs that are no more. As no index leads to a blob's rows,
# all are read, for which nobody waits.
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


def prune_blobs(database: Database, is_stopped: Callable[[], bool]) -> int:
    """Delete blobs that nothing refers to; returns how many."""
    with alone(database) as connection:
        # Everything that is under way has ended: what is kept from now on is newer, or
        # noted behind the mark.
        newest: int = connection.execute(select(func.max(blobs.c.id))).scalar() or 0
        mark = set_mark(connection)
    removed = 0
    for after in range(0, newest, _WINDOW):
        bounds = {"after": after, "last": after + _WINDOW, "newest": newest}
        with database.read() as connection:
            orphans = sorted(connection.execute(_ORPHANS, bounds).scalars())
        for start in range(0, len(orphans), _BLOBS):
            if is_stopped():
                return removed
            with alone(database) as connection:
                touched = touched_since(connection, mark)
                if touched is None:
                    return removed
                piece = orphans[start : start + _BLOBS]
                removed += _delete_blobs(connection, piece, newest, touched)
        if is_stopped():
            return removed
    for statement, rows in _LEFT_OVER:
        with database.read() as connection:
            keys = [tuple(row) for row in connection.execute(statement)]
        for start in range(0, len(keys), _BLOBS):
            with database.write() as connection:
                rows.remove(connection, keys[start : start + _BLOBS])
    with database.write() as connection:
        forget_touched(connection, mark)
    return removed


def _delete_blobs(
    connection: Connection, orphans: Sequence[int], newest: int, touched: Set[int]
) -> int:
    of_touched = listed(sorted(touched))
    parameters = {"ids": listed(orphans), "newest": newest, "touched": of_touched}
    named = find_live(connection, orphans) | find_held(connection, orphans) | touched
    for statement in (*_NAMED_SINCE, *(_NAMED_BY_TOUCHED if touched else ())):
        named.update(connection.execute(statement, parameters).scalars())
    doomed = [blob for blob in orphans if blob not in named]
    return connection.execute(_DELETE_BLOBS, {"ids": listed(doomed)}).rowcount
