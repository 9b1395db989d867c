"""Groups of notifications in their turn: which are due, and how fast new messages
follow one another on a channel. What its pace has held back is gathered into one. And
how it stands with the messages of each channel.

To find what is due: a few probes of an index a channel, however many wait.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    or_,
    select,
    type_coerce,
    update,
)

from weighbridge.domain.message.grouping import (
    LONGEST_PAUSE,
    MESSAGES_A_MINUTE,
    PACE_OVER,
    gathered_group,
    held_until,
)
from weighbridge.domain.report.inventory import ChannelReport, ChannelState
from weighbridge.store.dialect import BulkInsert, Purpose, among_ids, listed, lock
from weighbridge.store.leases.validity import SLACK, is_leased
from weighbridge.store.models import channel_paces, notification_groups, notifications
from weighbridge.store.models.types import Moment, microseconds, moment_of
from weighbridge.store.named_rows import from_row

_group = notification_groups.c
_row = notifications.c
_pace = channel_paces.c
WAITS: Final = (
    _row.sent_at.is_(None),
    _row.given_up_at.is_(None),
    _row.dropped_for.is_(None),
)
"""Of a notification: it is still to be sent."""
SOMETHING_WAITS: Final = exists().where(_row.group_id == _group.id, *WAITS)
MOST: Final = 5_000
"""Groups that are gathered in one transaction; what is left waits another minute."""
_AT_ONCE: Final = 20
"""Groups that are looked at for one that nobody else has."""
_SOON: Final = bindparam("soon", type_=BigInteger())

Groups: TypeAlias = Select[*tuple[Any, ...]]
Group: TypeAlias = Row[*tuple[Any, ...]]


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
_NEW_PACE: Final = BulkInsert(channel_paces, "channel", "begun")
_BEGUN: Final = select(_pace.begun).where(_pace.channel == bindparam("of_channel"))
_LOCKED: Final = _BEGUN.with_for_update()
NEW_GROUPS: Final = BulkInsert(
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
_MOVED: Final = update(notifications).where(
    among_ids(_row.group_id), _row.message_key.is_(None), *WAITS
)
_HELD: Final = (
    select(notification_groups)
    .where(
        _group.channel == bindparam("channel"),
        _group.next_at <= bindparam("now", type_=Moment()),
        _group.attempts == 0,
        _group.is_cause.is_(False),
    )
    .order_by(_group.next_at, _group.id)
    .limit(MOST)
    .with_for_update(skip_locked=True)
)
_GATHERED: Final = (
    select(notification_groups)
    .where(
        _group.channel == bindparam("channel"),
        _group.group_key == bindparam("group_key"),
    )
    .with_for_update(skip_locked=True)
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
    if first > now and any(
        is_free(group, now) for group in _too_late(connection, channel, now)
    ):
        first = now
    begun = connection.execute(_BEGUN, {"of_channel": channel}).scalar_one_or_none()
    until = None if begun is None else held_until(_moments(begun), now)
    if until is None or until <= max(first, now):
        return first
    tried = _first_in_order(connection, _TRIED_IN_ORDER, channel, now)
    return until if tried is None else min(tried, until)


def _first_in_order(
    connection: Connection,
    groups: Groups,
    channel: str,
    now: datetime,
) -> datetime | None:
    waiting: list[datetime] = []
    for group in connection.execute(groups, {"channel": channel}).all():
        if is_free(group, now):
            waiting.append(group.next_at)
            break  # whatever comes behind it is due later
        waiting.append(max(group.next_at, group.lease_until))
    return min(waiting, default=None)


def due_groups(connection: Connection, channel: str, now: datetime) -> Iterator[Group]:
    """The channel's groups that are due, some of them, in their order; last those that
    a clock which was ahead has put off."""
    yield from connection.execute(_DUE, {"channel": channel, "now": now}).all()
    yield from _too_late(connection, channel, now)


def is_free(group: Group, now: datetime) -> bool:
    """Whether nobody has it in hand."""
    return not is_leased(group.lease_until, group.lease_owner, now)


def _too_late(connection: Connection, channel: str, now: datetime) -> list[Group]:
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


def lock_pace(connection: Connection, channel: str) -> Sequence[datetime]:
    """When the last new messages were begun. Nobody else begins one on this channel
    until we commit: whoever locks a pace holds no other lock yet."""
    _NEW_PACE.add(connection, [(channel, "[]")])
    return _moments(connection.execute(_LOCKED, {"of_channel": channel}).scalar_one())


def note_begun(
    connection: Connection, channel: str, begun: Sequence[datetime], now: datetime
) -> None:
    """One more was begun, besides those that the locked pace has."""
    last = [*begun, now][-MESSAGES_A_MINUTE:]
    connection.execute(
        update(channel_paces)
        .where(_pace.channel == channel)
        .values(begun=json.dumps([microseconds(moment) for moment in last]))
    )


def _moments(text: str) -> list[datetime]:
    return [moment_of(number) for number in json.loads(text)]


def groups_in_turn(
    connection: Connection, channel: str, begun: Sequence[datetime], now: datetime
) -> Iterator[Group]:
    """The channel's groups that may be claimed now, in their order.

    begun: of its new messages, as `lock_pace` has it

    1. While new messages are held back, those that were tried before.
    2. Once they are not, and something had to wait for that: all of it is one group.
    3. Else each as it is.
    """
    until = held_until(begun, now)
    if until is not None and now < until:
        tried = {"channel": channel, "now": now}
        yield from connection.execute(_TRIED_DUE, tried).all()
        return
    due = list(due_groups(connection, channel, now))
    # What was due while no new message might be sent. What has a cause in common is
    # gathered already, and stays a message of its own.
    if until is not None and any(
        not group.attempts and not group.is_cause and group.next_at < until
        for group in due
    ):
        _gather(connection, channel, now)
        due = list(due_groups(connection, channel, now))
    yield from due


def _gather(connection: Connection, channel: str, now: datetime) -> None:
    """Move what waits. Groups that somebody has in hand are passed over."""
    # Ends are put where openings wait: nobody looks for them until we commit.
    lock(connection, Purpose.TELL)
    key = gathered_group(channel)
    interval_s = int(PACE_OVER.total_seconds())
    NEW_GROUPS.add(
        connection, [(channel, key, False, "", 0, interval_s, None, None, 0, 0)]
    )
    place = {"channel": channel, "group_key": key}
    into = connection.execute(_GATHERED, place).one_or_none()
    if into is None:
        return
    held = connection.execute(_HELD, {"channel": channel, "now": now}).all()
    held = [row for row in held if row.id != into.id and is_free(row, now)]
    if not held:
        return
    ids = {"ids": listed([row.id for row in held])}
    connection.execute(_MOVED.values(group_id=into.id), ids)
    connection.execute(
        update(notification_groups)
        .where(among_ids(_group.id))
        # One whose message was begun and given back still has that.
        .values(next_at=case((SOMETHING_WAITS, _group.next_at)), last_sent_at=now),
        ids,
    )
    if not into.attempts:
        first = min(row.next_at for row in held)
        due = first if into.next_at is None else min(first, into.next_at)
        connection.execute(
            update(notification_groups).where(_group.id == into.id).values(next_at=due)
        )


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
