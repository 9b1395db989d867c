"""The outbox, as it is filled: what is to be told, in the transaction that found it.

Groups are shared by repositories, so whoever writes here holds one lock until the
transaction ends: two that open violations of one cause at the same moment see each
other, and cannot wait for each other. Who sends locks one group at a time and never
asks for more; the order is always: the lock, groups by id, notifications.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import (
    Connection,
    Row,
    bindparam,
    case,
    delete,
    exists,
    func,
    select,
    update,
)

from weighbridge.domain.message.grouping import (
    AHEAD,
    BASE_INTERVAL_S,
    BASE_WAIT_S,
    CAUSE_WITHIN,
    SHARE_CAUSE,
    GroupState,
    NotificationEvent,
    Route,
    Routed,
    about,
    about_base,
    base_group,
    can_share_cause,
    cause_group,
    due_in_cause,
    due_in_route,
    gathered,
    notified_by_route,
    route_group,
    routes_for,
)
from weighbridge.domain.policy.base_limits import CertainBase
from weighbridge.domain.policy.policy import TOLD_KEYS
from weighbridge.store.bases.standing import certain_bases
from weighbridge.store.dialect import (
    BulkInsert,
    Purpose,
    among_bytes,
    among_ids,
    listed,
    lock,
)
from weighbridge.store.models import (
    CLOSED,
    REVOCABLE,
    notification_groups,
    notifications,
    violations,
)
from weighbridge.store.models.types import Moment
from weighbridge.store.named_rows import NAMES, named
from weighbridge.store.outbox.due_groups import NEW_GROUPS, Group

LISTED: Final = "listed"
"""Its cause was told: it stands in the list of violations, and that is all."""

_group = notification_groups.c
_row = notifications.c
_ended = notifications.alias("ended")
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
        ~exists().where(
            _ended.c.group_id == _row.group_id,
            _ended.c.violation_id == _row.violation_id,
            _ended.c.event == "resolved",
        ),
    )
    .order_by(_row.group_id, _row.violation_id)
)
_REVOKED: Final = delete(notifications).where(
    among_ids(_row.violation_id),
    _row.event == bindparam("event"),
    _row.dropped_for.in_(REVOCABLE),
)
_LOCKED: Final = select(notification_groups).order_by(_group.id).with_for_update()
_GROUPS_AT: Final = _LOCKED.where(among_bytes(_group.group_key))
_GROUPS_OF: Final = _LOCKED.where(
    _group.id.in_(
        select(_row.group_id).where(
            among_ids(_row.violation_id), _row.event == "opened"
        )
    )
)
_OPENED: Final = (
    select(
        violations.c.id,
        violations.c.severity,
        violations.c.team,
        violations.c.policy,
        violations.c.limit_key,
        violations.c.cause_key,
        violations.c.image_id,
        *NAMES,
    )
    .select_from(named(violations))
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
_notified_at: Final = func.coalesce(_row.sent_at, _row.created_at)
_OF_CAUSES: Final = (
    select(
        _group.channel,
        violations.c.cause_key,
        func.max(_notified_at).label("notified_at"),
        # When it began, and not when it arrived: that may be later than what came
        # behind it.
        func.max(case((_group.is_cause.is_(False), _row.created_at))).label("by_route"),
        func.max(case((_group.is_cause, _notified_at))).label("by_cause"),
    )
    .join(notifications, _row.violation_id == violations.c.id)
    .join(notification_groups, _group.id == _row.group_id)
    .where(
        among_bytes(violations.c.cause_key),
        # Other limits are told one by one, and say nothing of a cause.
        violations.c.limit_key.in_(sorted(SHARE_CAUSE)),
        _notified_at <= bindparam("latest", type_=Moment()),
        _row.event == "opened",
        _row.dropped_for.is_(None),
        _row.given_up_at.is_(None),
    )
    .group_by(_group.channel, violations.c.cause_key)
)

ToldCause: TypeAlias = Row[*tuple[Any, ...]]
"""What a channel was told of a cause, or is about to be: as `_OF_CAUSES` selects it."""


class _Planned(Struct, frozen=True):
    """One violation that one channel is to be told of.

    key:   of its group
    cause: the channel was told of another one with the same cause, and that makes this
           a part of the cause's group; else None
    """

    violation_id: int
    route: Route
    key: bytes
    about: str
    cause: ToldCause | None


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
    groups: dict[bytes, list[_Planned]] = {}
    for one in _plan_openings(connection, ids, routes, now):
        groups.setdefault(one.key, []).append(one)
    _make_groups(connection, [some[0] for some in groups.values()])
    keys = {"hashes": listed(sorted(groups))}
    waiting = 0
    for group in connection.execute(_GROUPS_AT, keys).all():
        planned = groups[group.group_key]
        is_due = _have_due(connection, group, planned[0], now)
        dropped = None if is_due else LISTED
        _NEW.add(
            connection,
            [(group.id, p.violation_id, "opened", now, dropped) for p in planned],
        )
        waiting += len(planned) if is_due else 0
    return waiting


def _put_resolved(connection: Connection, ids: Sequence[int], now: datetime) -> int:
    parameters = {"ids": listed(ids)}
    groups = connection.execute(_GROUPS_OF, parameters).all()
    connection.execute(_UNTOLD, parameters)
    rows = connection.execute(_TOLD, parameters).all()
    for group in groups:
        told = [row.violation_id for row in rows if row.group_id == group.id]
        if told:
            _NEW.add(
                connection, [(group.id, one, "resolved", now, None) for one in told]
            )
            if group.is_cause:
                due = gathered(_state(group), now, interval_s=group.interval_s)
            elif group.next_at is not None:
                due = group.next_at  # An end hurries nobody.
            else:
                due = due_in_route(
                    _state(group), now, wait_s=0, interval_s=group.interval_s
                )
            _set_due(connection, group, due)
    return len(rows)


def _plan_openings(
    connection: Connection, ids: Sequence[int], routes: Sequence[Route], now: datetime
) -> list[_Planned]:
    """What each channel is to be told, in the order of violations; what it was told
    before is left out."""
    rows = connection.execute(_OPENED, {"ids": listed(ids)}).all()
    already = {
        (row.violation_id, row.channel)
        for row in connection.execute(_TOLD_ALREADY, {"ids": listed(ids)})
    }
    causes = _causes_of(connection, rows, now)
    bases = _bases_of(connection, rows, now)
    planned: list[_Planned] = []
    for row in rows:
        routed = Routed(
            row.severity, row.team, row.registry, row.repository, row.policy
        )
        for route in routes_for(routes, routed):
            if (row.id, route.channel) in already:
                continue
            if (base := bases.get(row.id)) is not None:
                planned.append(_of_base(row.id, route, routed.team, base, now))
                continue
            cause = causes.get((route.channel, row.cause_key))
            if cause is not None and can_share_cause(row.limit_key):
                key, what = cause_group(route.channel, row.cause_key), ""
            else:
                cause, key = None, route_group(route, routed)
                what = about(route, routed)
            planned.append(_Planned(row.id, route, key, what, cause))
    return planned


def _bases_of(
    connection: Connection, rows: Iterable[Row[*tuple[Any, ...]]], now: datetime
) -> dict[int, CertainBase]:
    """The base of each violation that tells of one: what stands on the same base is
    told together."""
    images = {r.id: r.image_id for r in rows if r.limit_key in TOLD_KEYS}
    found = certain_bases(connection, set(images.values()), now)
    return {n: found[image] for n, image in images.items() if image in found}


def _of_base(
    violation_id: int, route: Route, team: str | None, base: CertainBase, now: datetime
) -> _Planned:
    """One message for a base and a team, once all its images may be found."""
    name = base.references[0]
    replaced_on = (now - timedelta(seconds=base.replaced_for_s)).date().isoformat()
    route = replace(
        route,
        group_wait_s=max(route.group_wait_s, BASE_WAIT_S),
        group_interval_s=max(route.group_interval_s, BASE_INTERVAL_S),
    )
    key = base_group(route.channel, name, replaced_on, team)
    return _Planned(violation_id, route, key, about_base(name, team), None)


def _causes_of(
    connection: Connection, rows: Iterable[Row[*tuple[Any, ...]]], now: datetime
) -> dict[tuple[str, bytes], ToldCause]:
    """What each channel was last told of each cause."""
    keys = sorted({row.cause_key for row in rows if row.cause_key is not None})
    if not keys:
        return {}
    parameters = {"hashes": listed(keys), "latest": now + AHEAD}
    found = connection.execute(_OF_CAUSES, parameters).all()
    return {
        (row.channel, row.cause_key): row
        for row in found
        if row.notified_at > now - CAUSE_WITHIN
    }


def _make_groups(connection: Connection, planned: Iterable[_Planned]) -> None:
    """Where they are not there."""
    rows = [
        (
            one.route.channel,
            one.key,
            one.cause is not None,
            one.about,
            one.route.group_wait_s,
            one.route.group_interval_s,
            None,
            None if one.cause is None else one.cause.notified_at,
            0 if one.cause is None else 1,
            0,
        )
        for one in sorted(planned, key=lambda one: (one.route.channel, one.key))
    ]
    NEW_GROUPS.add(connection, rows)


def _have_due(
    connection: Connection, group: Group, planned: _Planned, now: datetime
) -> bool:
    """Whether what was opened is told; and when, of the whole group."""
    route, cause, state = planned.route, planned.cause, _state(group)
    values: dict[str, object] = {
        "wait_s": route.group_wait_s,
        "interval_s": route.group_interval_s,
    }
    if not group.is_cause:
        next_at = due_in_route(
            state,
            now,
            wait_s=route.group_wait_s,
            interval_s=route.group_interval_s,
        )
        _set_due(connection, group, next_at, **values)
        return True
    # A route's group told of it, and the cause's own has not since.
    if (
        cause is not None
        and cause.by_route is not None
        and (cause.by_cause is None or cause.by_route > cause.by_cause)
    ):
        state = notified_by_route(state, cause.notified_at)
        values |= {"last_sent_at": cause.notified_at, "messages": 1}
    due = due_in_cause(state, route, now)
    if due is None:
        return False
    if due.begins_anew:
        values["messages"] = 0
    _set_due(connection, group, due.next_at, **values)
    return True


def _set_due(
    connection: Connection, group: Group, next_at: datetime, **values: object
) -> None:
    """values: columns that change with it"""
    connection.execute(
        update(notification_groups)
        .where(_group.id == group.id)
        .values(next_at=next_at, **values)
    )


def _state(group: Group) -> GroupState:
    return GroupState(
        group.next_at, group.last_sent_at, group.messages, group.attempts > 0
    )
