"""When messages are due: a few probes of an index a channel, however many wait."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    cast,
    func,
    select,
    type_coerce,
)

from weighbridge.domain.message.grouping import LONGEST_PAUSE
from weighbridge.store.leases.ahead import SLACK, is_leased
from weighbridge.store.leases.process_mark import has_ended
from weighbridge.store.models import notification_groups
from weighbridge.store.models.types import Moment, microseconds
from weighbridge.store.outbox.channel_pace import new_messages_held_until

Groups: TypeAlias = Select[*tuple[Any, ...]]
"""A query for rows of `notification_groups`."""

_AT_ONCE: Final = 20
"""Groups that are looked at for one that nobody else has."""

_group = notification_groups.c
_SOON: Final = bindparam("soon", type_=BigInteger())


def _is_later_than(seconds: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a group is due later than so many seconds from soon."""
    put_off = cast(seconds, BigInteger) * 1_000_000
    return type_coerce(_group.next_at, BigInteger) - put_off > _SOON


_IN_ORDER: Final = (
    select(notification_groups)
    .where(_group.channel == bindparam("channel"), _group.next_at.is_not(None))
    .order_by(_group.next_at, _group.id)
    .limit(_AT_ONCE)
)
_DUE: Final = _IN_ORDER.where(_group.next_at <= bindparam("now", type_=Moment()))
_TRIED_IN_ORDER: Final = _IN_ORDER.where(_group.attempts > 0)
_TRIED_DUE: Final = _DUE.where(_group.attempts > 0)
# Nothing is put off for longer than that: it was done by a clock that was ahead.
_TOO_LATE: Final = _IN_ORDER.where(
    _group.next_at > bindparam("latest", type_=Moment()),
    _is_later_than(_group.interval_s),
    _is_later_than(_group.wait_s),
)
_CHANNEL_AFTER: Final = select(func.min(_group.channel)).where(
    _group.next_at.is_not(None), _group.channel > bindparam("channel")
)


def next_due(connection: Connection, now: datetime) -> dict[str, datetime]:
    """The channels in whose groups something waits, with when the first is due."""
    due: dict[str, datetime] = {}
    channel = _channel_after(connection, "")
    while channel is not None:
        at = next_due_on(connection, channel, now)
        if at is not None:
            due[channel] = at
        channel = _channel_after(connection, channel)
    return due


def next_due_on(connection: Connection, channel: str, now: datetime) -> datetime | None:
    """When the first of a channel's groups is due; None: nothing waits there. What
    somebody is sending is due when that one's lease ends, what a clock that was ahead
    has put off at once, and a new message when the channel's pace lets it through."""
    first = _first_in_order(connection, _IN_ORDER, channel, now)
    if first is None:
        return None
    if first > now and _is_any_free(connection, channel, now):
        first = now
    until = new_messages_held_until(connection, channel, now)
    if until is None or until <= max(first, now):
        return first
    tried = _first_in_order(connection, _TRIED_IN_ORDER, channel, now)
    return until if tried is None else min(tried, until)


def _first_in_order(
    connection: Connection, groups: Groups, channel: str, now: datetime
) -> datetime | None:
    waiting: list[datetime] = []
    for group in connection.execute(groups, {"channel": channel}).all():
        if is_free(group, now):
            waiting.append(group.next_at)
            break  # whatever comes behind it is due later
        waiting.append(max(group.next_at, group.lease_until))
    return min(waiting, default=None)


def due_groups(
    connection: Connection, channel: str, now: datetime
) -> Iterator[Row[*tuple[Any, ...]]]:
    """The channel's groups that are due, some of them, in their order; last those that
    a clock which was ahead has put off."""
    yield from connection.execute(_DUE, {"channel": channel, "now": now}).all()
    yield from _too_late(connection, channel, now)


def tried_groups(
    connection: Connection, channel: str, now: datetime
) -> Iterator[Row[*tuple[Any, ...]]]:
    """Of these, those whose message was tried before."""
    parameters = {"channel": channel, "now": now}
    yield from connection.execute(_TRIED_DUE, parameters).all()


def is_free(group: Row[*tuple[Any, ...]], now: datetime) -> bool:
    """Whether nobody has it in hand."""
    return not is_leased(group.lease_until, now) or has_ended(group.lease_owner)


def _is_any_free(connection: Connection, channel: str, now: datetime) -> bool:
    return any(is_free(group, now) for group in _too_late(connection, channel, now))


def _too_late(
    connection: Connection, channel: str, now: datetime
) -> list[Row[*tuple[Any, ...]]]:
    soon = now + SLACK
    parameters = {
        "channel": channel,
        "latest": soon + LONGEST_PAUSE,
        "soon": microseconds(soon),
    }
    return list(connection.execute(_TOO_LATE, parameters).all())


def _channel_after(connection: Connection, channel: str) -> str | None:
    found: str | None = connection.execute(
        _CHANNEL_AFTER, {"channel": channel}
    ).scalar_one()
    return found
