"""How it stands with messages: one row a channel."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, case, func, or_, select

from weighbridge.domain.report.inventory import ChannelReport, ChannelState
from weighbridge.store.models import notification_groups, notifications
from weighbridge.store.models.types import Moment
from weighbridge.store.named_rows import from_row
from weighbridge.store.outbox.due_groups import WAITS

_group = notification_groups.c
_row = notifications.c
_waits = and_(*WAITS)
_CHANNELS: Final = (
    select(
        _group.channel,
        func.min(_group.next_at, type_=Moment()).label("next_at"),
        func.max(_group.last_sent_at, type_=Moment()).label("last_sent_at"),
        func.count(case((_waits, _row.id))).label("waiting"),
        func.min(case((_waits, _row.created_at)), type_=Moment()).label(
            "oldest_waiting_at"
        ),
        func.count(_row.given_up_at).label("given_up"),
        func.max(_row.given_up_at, type_=Moment()).label("last_given_up_at"),
    )
    .outerjoin_from(
        notification_groups,
        notifications,
        and_(_row.group_id == _group.id, or_(_waits, _row.given_up_at.is_not(None))),
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


def channel_reports(connection: Connection) -> list[ChannelReport]:
    """Every channel that something was ever to be told on, by name."""
    errors: dict[str, Row[*tuple[Any, ...]]] = {}
    for row in connection.execute(_ERRORS):
        errors.setdefault(row.channel, row)
    reports = []
    for row in connection.execute(_CHANNELS).all():
        error = errors.get(row.channel)
        since = None if error is None else error.failing_since
        report = from_row(
            ChannelReport,
            row._mapping,
            state=_state(row.waiting, since),
            failing_since=since,
            error_code=None if error is None else error.error_code,
        )
        reports.append(report)
    return reports


def _state(waiting: int, failing_since: datetime | None) -> ChannelState:
    if failing_since is not None:
        return "failing"
    return "waiting" if waiting else "ok"
