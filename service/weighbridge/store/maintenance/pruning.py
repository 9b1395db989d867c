"""Pruning: removing what is older than its time and needed by nothing.

What a tag leads to is never touched, and neither is the history of tags. Everything
goes in small transactions, so that it may run beside crawls and be stopped and begun
again at any point. Here: what is only old; `unneeded` has what nothing leads to.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import (
    Connection,
    Delete,
    Select,
    bindparam,
    delete,
    exists,
    false,
    or_,
    select,
)

from weighbridge.domain.retention import Retention
from weighbridge.store.connection.deadlines import unhurried
from weighbridge.store.dialect import Purpose, among_ids, listed, lock
from weighbridge.store.ledger.settling import settle_all
from weighbridge.store.maintenance.unneeded import prune_blobs, prune_manifests
from weighbridge.store.models import (
    crawl_chunks,
    crawl_requests,
    crawls,
    notification_groups,
    notifications,
    pushes,
    violations,
)
from weighbridge.store.models.types import Moment
from weighbridge.store.outbox.due_groups import WAITS
from weighbridge.store.session import Database

_PIECE: Final = 2_000
_VIOLATIONS: Final = 1_000
_later = crawls.alias("later")
# Ids are in the order in which crawls began and pushes came.
_CRAWLS: Final = (
    select(
        crawls.c.id,
        crawls.c.started_at.label("began_at"),
        crawls.c.ended_at,
        # A repository's last crawl stays: it says why its numbers are as they are.
        (
            ~exists().where(
                _later.c.repository_id == crawls.c.repository_id,
                _later.c.id > crawls.c.id,
            )
        ).label("is_kept"),
    )
    .where(crawls.c.id > bindparam("after"))
    .order_by(crawls.c.id)
    .limit(_PIECE)
)
_DROP_CRAWLS: Final = (
    delete(crawl_chunks).where(among_ids(crawl_chunks.c.crawl_id)),
    delete(crawls).where(among_ids(crawls.c.id)),
)
_PUSHES: Final = (
    select(
        pushes.c.id,
        pushes.c.received_at.label("began_at"),
        pushes.c.done_at.label("ended_at"),
        false().label("is_kept"),
    )
    .where(pushes.c.id > bindparam("after"))
    .order_by(pushes.c.id)
    .limit(_PIECE)
)
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
        _prune_requests(database, before)
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


def _prune_requests(database: Database, before: datetime) -> None:
    """Remove requests to crawl that ended before. There are as many as people and their
    programs make, so that one statement will do."""
    with database.write() as connection:
        connection.execute(
            delete(crawl_requests).where(crawl_requests.c.ended_at < before)
        )


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
    removed, count = 0, _VIOLATIONS
    while count == _VIOLATIONS and not is_stopped():
        with database.write() as connection:
            count = _remove_over(connection, now - keep)
        removed += count
    return removed


def _remove_over(connection: Connection, before: datetime) -> int:
    lock(connection, Purpose.TELL)
    over = connection.execute(_OVER, {"before": before}).scalars().all()
    for removal in _DROP_VIOLATIONS:
        connection.execute(removal, {"ids": listed(over)})
    connection.execute(_DROP_GROUPS, {"before": before})
    return len(over)
