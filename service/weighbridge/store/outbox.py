"""The outbox, as it is filled: what is to be told, in the transaction that found it.

Groups are shared by repositories, so whoever writes here holds one lock until the
transaction ends: two that open violations of one cause at the same moment see each
other, and cannot wait for each other. Who sends locks one group at a time and never
asks for more; the order is always: the lock, groups by id, notifications.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update

from weighbridge.domain.grouping import (
    CAUSE_WITHIN,
    Due,
    GroupState,
    about,
    can_share_cause,
    cause_group,
    due_in_cause,
    due_in_route,
    gathered,
    route_group,
)
from weighbridge.domain.message import NotificationEvent
from weighbridge.domain.routing import Route, Routed, routes_for
from weighbridge.store.dialect import (
    NewRows,
    Purpose,
    among_bytes,
    among_ids,
    listed,
    lock,
)
from weighbridge.store.models import registries, repositories
from weighbridge.store.push_tables import (
    notification_groups,
    notifications,
    violations,
)

LISTED: Final = "listed"
"""Its cause was told: it stands in the list of violations, and that is all."""
CLOSED: Final = "closed"
"""It was over before anybody was told of it."""
WAIVED: Final = "waived"
"""It was waived before anybody was told of it."""
OPEN_AGAIN: Final = "open_again"
"""It began again before anybody was told of its end."""
REVOCABLE: Final = (CLOSED, WAIVED, OPEN_AGAIN)
"""Reasons that may not hold the next time: then it is told after all."""

_group = notification_groups.c
_row = notifications.c
_NEW_GROUPS: Final = NewRows(
    notification_groups,
    "channel",
    "group_key",
    "is_cause",
    "about",
    "interval_s",
    "next_at",
    "last_sent_at",
    "messages",
    "attempts",
)
_NEW: Final = NewRows(
    notifications, "group_id", "violation_id", "event", "created_at", "dropped_for"
)
_OPENED: Final = (
    select(
        violations.c.id,
        violations.c.severity,
        violations.c.team,
        violations.c.policy,
        violations.c.limit_key,
        violations.c.cause_key,
        repositories.c.name.label("repository"),
        registries.c.name.label("registry"),
    )
    .join(repositories, repositories.c.id == violations.c.repository_id)
    .join(registries, registries.c.id == repositories.c.registry_id)
    .where(
        among_ids(violations.c.id),
        violations.c.closed_at.is_(None),
        violations.c.is_silent.is_(False),
    )
    .order_by(violations.c.id)
)
_TOLD_ALREADY: Final = (
    select(_row.violation_id, _group.channel)
    .join(notification_groups, _group.id == _row.group_id)
    .where(among_ids(_row.violation_id), _row.event == "opened")
)
_OF_CAUSES: Final = (
    select(
        _group.channel,
        violations.c.cause_key,
        func.max(func.coalesce(_row.sent_at, _row.created_at)).label("told_at"),
    )
    .join(notifications, _row.violation_id == violations.c.id)
    .join(notification_groups, _group.id == _row.group_id)
    .where(
        among_bytes(violations.c.cause_key),
        _row.event == "opened",
        _row.dropped_for.is_(None),
        _row.given_up_at.is_(None),
    )
    .group_by(_group.channel, violations.c.cause_key)
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
_LOCK: Final = (
    select(notification_groups)
    .where(among_ids(_group.id))
    .order_by(_group.id)
    .with_for_update()
)


@dataclass(frozen=True, slots=True)
class _Planned:
    """One violation that one channel is to be told of.

    cause_told_at: when the channel was told of another one with the same cause, and
                   that makes this a part of the cause's group; else None
    """

    violation_id: int
    route: Route
    key: bytes
    about: str
    cause_told_at: datetime | None


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
    whoever commits this rings for DELIVER.
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
    planned = _plan(connection, ids, routes, now)
    groups = _locked(connection, _made(connection, planned))
    waiting = 0
    for state in groups:
        of_group = [p for p in planned if _is_in(state, p)]
        first = of_group[0]
        due = _due(state, first, now)
        dropped = LISTED if due is None else None
        _NEW.add(
            connection,
            [(state.id, p.violation_id, "opened", now, dropped) for p in of_group],
        )
        if due is not None:
            waiting += len(of_group)
            _set_due(connection, state.id, due, first.route.group_interval_s)
    return waiting


def _put_resolved(connection: Connection, ids: Sequence[int], now: datetime) -> int:
    parameters = {"ids": listed(ids)}
    found = set(connection.execute(_GROUPS_OF, parameters).scalars())
    groups = _locked(connection, found)
    connection.execute(_UNTOLD, parameters)
    told = connection.execute(_TOLD, parameters).all()
    waiting = 0
    for state in groups:
        of_group = [row.violation_id for row in told if row.group_id == state.id]
        before = _count(connection, state.id, of_group)
        _NEW.add(
            connection, [(state.id, one, "resolved", now, None) for one in of_group]
        )
        added = len(of_group) - before
        if added:
            waiting += added
            at = _due_resolved(_state(state), state, now)
            _set_due(connection, state.id, Due(at), state.interval_s)
    return waiting


def _plan(
    connection: Connection, ids: Sequence[int], routes: Sequence[Route], now: datetime
) -> list[_Planned]:
    """In the order of violations; what a channel was told before is left out."""
    rows = connection.execute(_OPENED, {"ids": listed(ids)}).all()
    already = {
        (row.violation_id, row.channel)
        for row in connection.execute(_TOLD_ALREADY, {"ids": listed(ids)})
    }
    causes = _told_causes(connection, rows, now)
    return [
        _planned(row, route, _routed(row), causes.get((route.channel, row.cause_key)))
        for row in rows
        for route in routes_for(routes, _routed(row))
        if (row.id, route.channel) not in already
    ]


def _planned(
    row: Row[*tuple[Any, ...]], route: Route, routed: Routed, told_at: datetime | None
) -> _Planned:
    if told_at is None or not can_share_cause(row.limit_key):
        key = route_group(route, routed)
        return _Planned(row.id, route, key, about(route, routed), None)
    key = cause_group(route.channel, row.cause_key)
    return _Planned(row.id, route, key, "", told_at)


def _routed(row: Row[*tuple[Any, ...]]) -> Routed:
    return Routed(row.severity, row.team, row.registry, row.repository, row.policy)


def _told_causes(
    connection: Connection, rows: Iterable[Row[*tuple[Any, ...]]], now: datetime
) -> dict[tuple[str, bytes], datetime]:
    """When each channel was last told of each cause, or is about to be."""
    keys = sorted({row.cause_key for row in rows if row.cause_key is not None})
    if not keys:
        return {}
    found = connection.execute(_OF_CAUSES, {"hashes": listed(keys)}).all()
    return {
        (row.channel, row.cause_key): row.told_at
        for row in found
        if row.told_at > now - CAUSE_WITHIN
    }


def _made(connection: Connection, planned: Sequence[_Planned]) -> set[int]:
    """The ids of the groups, made where they are not there."""
    wanted = {(p.route.channel, p.key): p for p in planned}
    rows = [
        (
            *place,
            one.cause_told_at is not None,
            one.about,
            one.route.group_interval_s,
            None,
            one.cause_told_at,
            0 if one.cause_told_at is None else 1,
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


def _locked(
    connection: Connection, ids: Collection[int]
) -> Sequence[Row[*tuple[Any, ...]]]:
    return connection.execute(_LOCK, {"ids": listed(sorted(ids))}).all()


def _is_in(state: Row[*tuple[Any, ...]], planned: _Planned) -> bool:
    place = (planned.route.channel, planned.key)
    return place == (state.channel, state.group_key)


def _state(row: Row[*tuple[Any, ...]]) -> GroupState:
    return GroupState(row.next_at, row.last_sent_at, row.messages, row.attempts > 0)


def _due(row: Row[*tuple[Any, ...]], planned: _Planned, now: datetime) -> Due | None:
    route = planned.route
    if row.is_cause:
        return due_in_cause(_state(row), route, now)
    return Due(
        due_in_route(
            _state(row),
            now,
            wait_s=route.group_wait_s,
            interval_s=route.group_interval_s,
        )
    )


def _due_resolved(
    state: GroupState, row: Row[*tuple[Any, ...]], now: datetime
) -> datetime:
    if row.is_cause:
        return gathered(state, now, interval_s=row.interval_s)
    return due_in_route(state, now, wait_s=0, interval_s=row.interval_s)


def _set_due(connection: Connection, group_id: int, due: Due, interval_s: int) -> None:
    anew = {"messages": 0} if due.begins_anew else {}
    connection.execute(
        update(notification_groups)
        .where(_group.id == group_id)
        .values(next_at=due.next_at, interval_s=interval_s, **anew)
    )


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
