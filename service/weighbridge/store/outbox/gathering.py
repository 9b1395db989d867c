"""Gathers what a channel's pace has held back into the group of one message."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, case, select, update

from weighbridge.domain.message.grouping import PACE_OVER, gathered_group, held_until
from weighbridge.store.dialect import BulkInsert, Purpose, among_ids, listed, lock
from weighbridge.store.models import notification_groups, notifications
from weighbridge.store.models.types import Moment
from weighbridge.store.outbox.due_groups import due_groups, is_free, tried_groups
from weighbridge.store.outbox.groups import SOMETHING_WAITS, WAITS

MOST: Final = 5_000
"""Groups that are gathered in one transaction; what is left waits another minute."""

_group = notification_groups.c
_NEW: Final = BulkInsert(
    notification_groups,
    "channel",
    "group_key",
    "is_cause",
    "about",
    "wait_s",
    "interval_s",
    "messages",
    "attempts",
)
_MOVED: Final = update(notifications).where(
    among_ids(notifications.c.group_id), notifications.c.message_key.is_(None), *WAITS
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


def groups_in_turn(
    connection: Connection, channel: str, begun: Sequence[datetime], now: datetime
) -> Iterator[Row[*tuple[Any, ...]]]:
    """The channel's groups that may be claimed now, in their order.

    begun: of its new messages, as `channel_pace.lock_pace` has it

    1. While new messages are held back, those that were tried before.
    2. Once they are not, and something had to wait for that: all of it is one group.
    3. Else each as it is.
    """
    until = held_until(begun, now)
    if until is not None and now < until:
        yield from tried_groups(connection, channel, now)
        return
    due = list(due_groups(connection, channel, now))
    if until is not None and any(_is_held(group, until) for group in due):
        _gather(connection, channel, now)
        due = list(due_groups(connection, channel, now))
    yield from due


def _is_held(group: Row[*tuple[Any, ...]], until: datetime) -> bool:
    """Whether it was due while no new message might be sent. What has a cause in common
    is gathered already, and stays a message of its own."""
    is_new = not group.attempts and not group.is_cause
    return is_new and bool(group.next_at < until)


def _gather(connection: Connection, channel: str, now: datetime) -> None:
    """Move what waits. Groups that somebody has in hand are passed over."""
    # Ends are put where openings wait: nobody looks for them until we commit.
    lock(connection, Purpose.TELL)
    key = gathered_group(channel)
    interval_s = int(PACE_OVER.total_seconds())
    _NEW.add(connection, [(channel, key, False, "", 0, interval_s, 0, 0)])
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
