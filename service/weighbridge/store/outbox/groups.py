"""Groups of notifications: made, locked in one order, and due at their time."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, exists, select, update

from weighbridge.domain.message.grouping import (
    GroupDue,
    GroupState,
    due_in_cause,
    due_in_route,
    gathered,
    notified_by_route,
)
from weighbridge.store.dialect import BulkInsert, among_bytes, among_ids, listed
from weighbridge.store.models import notification_groups, notifications
from weighbridge.store.outbox.planning import Planned

_group = notification_groups.c
_row = notifications.c
WAITS: Final = (
    _row.sent_at.is_(None),
    _row.given_up_at.is_(None),
    _row.dropped_for.is_(None),
)
"""Of a notification: it is still to be sent."""
SOMETHING_WAITS: Final = exists().where(_row.group_id == _group.id, *WAITS)
_NEW_GROUPS: Final = BulkInsert(
    notification_groups,
    "channel",
    "group_key",
    "is_cause",
    "about",
    "wait_s",
    "interval_s",
    "next_at",
    "last_sent_at",
    "messages",
    "attempts",
)
_LOCK: Final = (
    select(notification_groups)
    .where(among_ids(_group.id))
    .order_by(_group.id)
    .with_for_update()
)


def make_groups(connection: Connection, planned: Sequence[Planned]) -> set[int]:
    """The ids of the groups, made where they are not there."""
    wanted = {(p.route.channel, p.key): p for p in planned}
    rows = [
        (
            *place,
            one.cause is not None,
            one.about,
            one.route.group_wait_s,
            one.route.group_interval_s,
            None,
            None if one.cause is None else one.cause.at,
            0 if one.cause is None else 1,
            0,
        )
        for place, one in sorted(wanted.items(), key=lambda item: item[0])
    ]
    _NEW_GROUPS.add(connection, rows)
    found = connection.execute(
        select(_group.id, _group.channel, _group.group_key).where(
            among_bytes(_group.group_key)
        ),
        {"hashes": listed([key for _, key in sorted(wanted)])},
    )
    return {row.id for row in found if (row.channel, row.group_key) in wanted}


def lock_groups(
    connection: Connection, ids: Collection[int]
) -> Sequence[Row[*tuple[Any, ...]]]:
    return connection.execute(_LOCK, {"ids": listed(sorted(ids))}).all()


def due_opened(
    row: Row[*tuple[Any, ...]], planned: Planned, now: datetime
) -> GroupDue | None:
    route, state = planned.route, _state(row)
    if row.is_cause:
        if planned.cause is not None and planned.cause.by_route:
            state = notified_by_route(state, planned.cause.at)
        return due_in_cause(state, route, now)
    return GroupDue(
        due_in_route(
            state,
            now,
            wait_s=route.group_wait_s,
            interval_s=route.group_interval_s,
        )
    )


def due_resolved(row: Row[*tuple[Any, ...]], now: datetime) -> datetime:
    if row.is_cause:
        return gathered(_state(row), now, interval_s=row.interval_s)
    waiting: datetime | None = row.next_at
    if waiting is not None:
        return waiting  # An end hurries nobody.
    return due_in_route(_state(row), now, wait_s=0, interval_s=row.interval_s)


def set_due_opened(
    connection: Connection, group_id: int, planned: Planned, due: GroupDue
) -> None:
    route, cause = planned.route, planned.cause
    values: dict[str, object] = {}
    if cause is not None and cause.by_route:
        values = {"last_sent_at": cause.at, "messages": 1}
    if due.begins_anew:
        values["messages"] = 0
    set_due(
        connection,
        group_id,
        due.next_at,
        wait_s=route.group_wait_s,
        interval_s=route.group_interval_s,
        **values,
    )


def set_due(
    connection: Connection, group_id: int, next_at: datetime, **values: object
) -> None:
    """values: columns that change with it"""
    connection.execute(
        update(notification_groups)
        .where(_group.id == group_id)
        .values(next_at=next_at, **values)
    )


def _state(row: Row[*tuple[Any, ...]]) -> GroupState:
    return GroupState(row.next_at, row.last_sent_at, row.messages, row.attempts > 0)
