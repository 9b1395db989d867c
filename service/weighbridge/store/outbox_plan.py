"""Which channels are to be told of violations, and in which group each of them is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select

from weighbridge.domain.grouping import (
    CAUSE_WITHIN,
    about,
    can_share_cause,
    cause_group,
    route_group,
)
from weighbridge.domain.routing import Route, Routed, routes_for
from weighbridge.store.dialect import among_bytes, among_ids, listed
from weighbridge.store.models import registries, repositories
from weighbridge.store.push_tables import (
    notification_groups,
    notifications,
    violations,
)

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


@dataclass(frozen=True, slots=True)
class Planned:
    """One violation that one channel is to be told of.

    cause_told_at: when the channel was told of another one with the same cause, and
                   that makes this a part of the cause's group; else None
    """

    violation_id: int
    route: Route
    key: bytes
    about: str
    cause_told_at: datetime | None


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
    causes = _told_causes(connection, rows, now)
    return [
        _planned(row, route, _routed(row), causes.get((route.channel, row.cause_key)))
        for row in rows
        for route in routes_for(routes, _routed(row))
        if (row.id, route.channel) not in already
    ]


def _planned(
    row: Row[*tuple[Any, ...]], route: Route, routed: Routed, told_at: datetime | None
) -> Planned:
    if told_at is None or not can_share_cause(row.limit_key):
        key = route_group(route, routed)
        return Planned(row.id, route, key, about(route, routed), None)
    key = cause_group(route.channel, row.cause_key)
    return Planned(row.id, route, key, "", told_at)


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
