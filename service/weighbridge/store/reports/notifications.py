"""How it stands with messages: one row a channel."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, func, select

from weighbridge.domain.report.inventory import ChannelReport, ChannelState
from weighbridge.store.models import notification_groups, notifications
from weighbridge.store.models.types import Moment
from weighbridge.store.outbox.due_groups import WAITS

_group = notification_groups.c
_row = notifications.c
_GROUPS: Final = (
    select(
        _group.channel,
        func.min(_group.next_at, type_=Moment()).label("next_at"),
        func.max(_group.last_sent_at, type_=Moment()).label("last_sent_at"),
    )
    .group_by(_group.channel)
    .order_by(_group.channel)
)
# The one that fails for longest; else the last reason that something was given up.
_ERRORS: Final = (
    select(_group.channel, _group.failing_since, _group.error_code)
    .where(_group.error_code.is_not(None))
    .order_by(_group.failing_since.is_(None), _group.failing_since, _group.id)
)


def _counted(moment: Any, *where: Any) -> Select[*tuple[Any, ...]]:
    """Notifications by channel, and a moment of them."""
    return (
        select(_group.channel, func.count().label("number"), moment.label("moment"))
        .join(notifications, _row.group_id == _group.id)
        .where(*where)
        .group_by(_group.channel)
    )


_WAITING: Final = _counted(func.min(_row.created_at, type_=Moment()), *WAITS)
_GIVEN_UP: Final = _counted(
    func.max(_row.given_up_at, type_=Moment()), _row.given_up_at.is_not(None)
)


def channel_reports(connection: Connection) -> list[ChannelReport]:
    """Every channel that something was ever to be told on, by name."""
    waiting = _by_channel(connection, _WAITING)
    given_up = _by_channel(connection, _GIVEN_UP)
    errors: dict[str, Row[*tuple[Any, ...]]] = {}
    for row in connection.execute(_ERRORS):
        errors.setdefault(row.channel, row)
    reports = []
    for group in connection.execute(_GROUPS).all():
        number, oldest = waiting.get(group.channel, (0, None))
        lost, lost_at = given_up.get(group.channel, (0, None))
        error = errors.get(group.channel)
        since = None if error is None else error.failing_since
        reports.append(
            ChannelReport(
                channel=group.channel,
                state=_state(number, since),
                waiting=number,
                oldest_waiting_at=oldest,
                next_at=group.next_at,
                failing_since=since,
                error_code=None if error is None else error.error_code,
                last_sent_at=group.last_sent_at,
                given_up=lost,
                last_given_up_at=lost_at,
            )
        )
    return reports


def _state(waiting: int, failing_since: datetime | None) -> ChannelState:
    if failing_since is not None:
        return "failing"
    return "waiting" if waiting else "ok"


def _by_channel(
    connection: Connection, statement: Select[*tuple[Any, ...]]
) -> dict[str, tuple[int, datetime | None]]:
    rows = connection.execute(statement)
    return {row.channel: (row.number, row.moment) for row in rows}
