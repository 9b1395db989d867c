"""Which channels are to be told of violations, and in which group each of them is."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection, Row, bindparam, case, func, select

from weighbridge.domain.message.grouping import (
    AHEAD,
    CAUSE_WITHIN,
    SHARE_CAUSE,
    Route,
    Routed,
    about,
    can_share_cause,
    cause_group,
    route_group,
    routes_for,
)
from weighbridge.store.dialect import among_bytes, among_ids, listed
from weighbridge.store.models import (
    notification_groups,
    notifications,
    registries,
    repositories,
    violations,
)
from weighbridge.store.models.types import Moment

_group = notification_groups.c
_row = notifications.c
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


class NoticeCause(Struct, frozen=True):
    """That a channel was told of a cause, or is about to be.

    by_route: by a route's group, and by the cause's own not since
    """

    at: datetime
    by_route: bool


class Planned(Struct, frozen=True):
    """One violation that one channel is to be told of.

    cause: the channel was told of another one with the same cause, and that makes this
           a part of the cause's group; else None
    """

    violation_id: int
    route: Route
    key: bytes
    about: str
    cause: NoticeCause | None


def plan_openings(
    connection: Connection, ids: Sequence[int], routes: Sequence[Route], now: datetime
) -> list[Planned]:
    """What each channel is to be told, in the order of violations; what it was told
    before is left out."""
    rows = connection.execute(_OPENED, {"ids": listed(ids)}).all()
    already = {
        (row.violation_id, row.channel)
        for row in connection.execute(_TOLD_ALREADY, {"ids": listed(ids)})
    }
    causes = _causes_of(connection, rows, now)
    return [
        _planned(row, route, _routed(row), causes.get((route.channel, row.cause_key)))
        for row in rows
        for route in routes_for(routes, _routed(row))
        if (row.id, route.channel) not in already
    ]


def _planned(
    row: Row[*tuple[Any, ...]], route: Route, routed: Routed, cause: NoticeCause | None
) -> Planned:
    if cause is None or not can_share_cause(row.limit_key):
        key = route_group(route, routed)
        return Planned(row.id, route, key, about(route, routed), None)
    key = cause_group(route.channel, row.cause_key)
    return Planned(row.id, route, key, "", cause)


def _routed(row: Row[*tuple[Any, ...]]) -> Routed:
    return Routed(row.severity, row.team, row.registry, row.repository, row.policy)


def _causes_of(
    connection: Connection, rows: Iterable[Row[*tuple[Any, ...]]], now: datetime
) -> dict[tuple[str, bytes], NoticeCause]:
    """What each channel was last told of each cause."""
    keys = sorted({row.cause_key for row in rows if row.cause_key is not None})
    if not keys:
        return {}
    parameters = {"hashes": listed(keys), "latest": now + AHEAD}
    found = connection.execute(_OF_CAUSES, parameters).all()
    return {
        (row.channel, row.cause_key): _cause_of(row)
        for row in found
        if row.notified_at > now - CAUSE_WITHIN
    }


def _cause_of(row: Row[*tuple[Any, ...]]) -> NoticeCause:
    by_route, by_cause = row.by_route, row.by_cause
    is_by_route = by_route is not None and (by_cause is None or by_route > by_cause)
    return NoticeCause(row.notified_at, is_by_route)
