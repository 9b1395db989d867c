"""Violations that are over, with what was told of them, pruned by age."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, delete, exists, or_, select

from weighbridge.store.dialect import Purpose, among_ids, listed, lock
from weighbridge.store.models import (
    notification_groups,
    notifications,
    violations,
)
from weighbridge.store.models.types import Moment
from weighbridge.store.outbox.due_groups import WAITS
from weighbridge.store.session import Database

_PIECE: Final = 1_000
_table = violations.c
_group = notification_groups.c
_BEFORE: Final = bindparam("before", type_=Moment())
# One that somebody has just now is left for the next time: whoever judges takes its
# rows before the lock that we hold.
_OVER: Final = (
    select(_table.id)
    .where(
        _table.closed_at < _BEFORE,
        ~exists().where(notifications.c.violation_id == _table.id, *WAITS),
    )
    .order_by(_table.id)
    .limit(_PIECE)
    .with_for_update(skip_locked=True)
)
_DROP_TOLD: Final = delete(notifications).where(among_ids(notifications.c.violation_id))
_DROP: Final = delete(violations).where(among_ids(_table.id))
_DROP_GROUPS: Final = delete(notification_groups).where(
    _group.next_at.is_(None),
    or_(_group.last_sent_at.is_(None), _group.last_sent_at < _BEFORE),
    _group.id.not_in(select(notifications.c.group_id)),
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
    removed, count = 0, _PIECE
    while count == _PIECE and not is_stopped():
        with database.write() as connection:
            count = _remove(connection, now - keep)
        removed += count
    return removed


def _remove(connection: Connection, before: datetime) -> int:
    lock(connection, Purpose.TELL)
    over = connection.execute(_OVER, {"before": before}).scalars().all()
    connection.execute(_DROP_TOLD, {"ids": listed(over)})
    connection.execute(_DROP, {"ids": listed(over)})
    connection.execute(_DROP_GROUPS, {"before": before})
    return len(over)
