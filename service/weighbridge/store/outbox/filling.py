"""The outbox, as it is filled: what is to be told, in the transaction that found it.

Groups are shared by repositories, so whoever writes here holds one lock until the
transaction ends: two that open violations of one cause at the same moment see each
other, and cannot wait for each other. Who sends locks one group at a time and never
asks for more; the order is always: the lock, groups by id, notifications.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update

from weighbridge.domain.message.grouping import Route
from weighbridge.domain.message.message import NotificationEvent
from weighbridge.store.dialect import BulkInsert, Purpose, among_ids, listed, lock
from weighbridge.store.models import CLOSED, REVOCABLE, notifications
from weighbridge.store.outbox.groups import (
    due_opened,
    due_resolved,
    lock_groups,
    make_groups,
    set_due,
    set_due_opened,
)
from weighbridge.store.outbox.planning import Planned, plan_openings

LISTED: Final = "listed"
"""Its cause was told: it stands in the list of violations, and that is all."""

_row = notifications.c
_NEW: Final = BulkInsert(
    notifications, "group_id", "violation_id", "event", "created_at", "dropped_for"
)
_UNTOLD: Final = (
    update(notifications)
    .where(
        among_ids(_row.violation_id),
        _row.event == "opened",
        _row.message_key.is_(None),
        _row.sent_at.is_(None),
        _row.dropped_for.is_(None),
    )
    .values(dropped_for=CLOSED)
)
_TOLD: Final = (
    select(_row.group_id, _row.violation_id)
    .where(
        among_ids(_row.violation_id),
        _row.event == "opened",
        _row.message_key.is_not(None),
        _row.given_up_at.is_(None),
        _row.dropped_for.is_(None),
    )
    .order_by(_row.group_id, _row.violation_id)
)
_GROUPS_OF: Final = select(_row.group_id).where(
    among_ids(_row.violation_id), _row.event == "opened"
)
_REVOKED: Final = delete(notifications).where(
    among_ids(_row.violation_id),
    _row.event == bindparam("event"),
    _row.dropped_for.in_(REVOCABLE),
)


def put_notifications(
    connection: Connection,
    violation_ids: Collection[int],
    event: NotificationEvent,
    routes: Sequence[Route],
    now: datetime,
) -> int:
    """Have channels told of violations that were just opened, or closed, in the
    transaction that did it. Put again, nothing happens.

    opened:   the channels that `routes` lead to; a violation that is silent or closed
              is left out, one that is waived the caller leaves out
    resolved: the channels that were told of its opening, whatever the routes are now;
              who was not told yet is told neither
    routes:   of channels that are sent messages; () for none

    The last thing that a transaction does but for its own repository's rows: others
    wait for its end. Returns how many wait now that did not before: more than 0, and
    whoever commits this enqueues DELIVER.
    """
    if not violation_ids or (event == "opened" and not routes):
        return 0
    ids = sorted(violation_ids)
    lock(connection, Purpose.TELL)
    connection.execute(_REVOKED, {"ids": listed(ids), "event": event})
    if event == "resolved":
        return _put_resolved(connection, ids, now)
    return _put_opened(connection, ids, routes, now)


def _put_opened(
    connection: Connection, ids: Sequence[int], routes: Sequence[Route], now: datetime
) -> int:
    planned = plan_openings(connection, ids, routes, now)
    groups = lock_groups(connection, make_groups(connection, planned))
    waiting = 0
    for state in groups:
        of_group = [p for p in planned if _is_in(state, p)]
        first = of_group[0]
        due = due_opened(state, first, now)
        dropped = LISTED if due is None else None
        _NEW.add(
            connection,
            [(state.id, p.violation_id, "opened", now, dropped) for p in of_group],
        )
        if due is not None:
            waiting += len(of_group)
            set_due_opened(connection, state.id, first, due)
    return waiting


def _put_resolved(connection: Connection, ids: Sequence[int], now: datetime) -> int:
    parameters = {"ids": listed(ids)}
    found = set(connection.execute(_GROUPS_OF, parameters).scalars())
    groups = lock_groups(connection, found)
    connection.execute(_UNTOLD, parameters)
    rows = connection.execute(_TOLD, parameters).all()
    waiting = 0
    for state in groups:
        of_group = [row.violation_id for row in rows if row.group_id == state.id]
        before = _count(connection, state.id, of_group)
        _NEW.add(
            connection, [(state.id, one, "resolved", now, None) for one in of_group]
        )
        added = len(of_group) - before
        if added:
            waiting += added
            set_due(connection, state.id, due_resolved(state, now))
    return waiting


def _is_in(state: Row[*tuple[Any, ...]], planned: Planned) -> bool:
    place = (planned.route.channel, planned.key)
    return place == (state.channel, state.group_key)


def _count(connection: Connection, group_id: int, violation_ids: list[int]) -> int:
    """How many of them have been resolved there before."""
    found: int = connection.execute(
        select(func.count()).where(
            _row.group_id == group_id,
            among_ids(_row.violation_id),
            _row.event == "resolved",
        ),
        {"ids": listed(violation_ids)},
    ).scalar_one()
    return found
