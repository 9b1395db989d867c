"""How a delivery ended: told, to be tried again, given up, given back, or dropped."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from weighbridge.domain.message.grouping import is_given_up
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.models import notification_groups, notifications
from weighbridge.store.outbox.deliveries import Delivery
from weighbridge.store.outbox.groups import SOMETHING_WAITS, WAITS

NO_CHANNEL: Final = "no_channel"
"""Its channel is not configured any more."""
NOT_TOLD: Final = "not_told"
"""That it is over, where its opening could not be told."""
KEPT_FOR: Final = timedelta(hours=1)
"""So long what waits is kept for a channel that is not configured: while a new
configuration is rolled out, some processes do not know it yet."""

_group = notification_groups.c
_row = notifications.c
_IS_OURS: Final = (
    _group.id == bindparam("claimed_id"),
    _group.lease_owner == bindparam("claimed_by"),
)


def note_sent(connection: Connection, delivery: Delivery, now: datetime) -> None:
    """The receiver has it. Noted again, or by somebody whose lease has ended, nothing
    is lost: the rows are told in any case."""
    _lock(connection, delivery)
    connection.execute(
        update(notifications)
        .where(among_ids(_row.id), _row.sent_at.is_(None))
        .values(sent_at=now),
        {"ids": listed(delivery.rows)},
    )
    messages = _group.messages + (1 if delivery.has_opened else 0)
    _end(
        connection,
        delivery,
        now,
        last_sent_at=now,
        messages=messages,
        attempts=0,
        failing_since=None,
        error_code=None,
    )


def note_failed(
    connection: Connection,
    delivery: Delivery,
    now: datetime,
    *,
    code: str,
    retry_at: datetime,
) -> bool:
    """It could not be handed over. Returns whether that is for ever: it has been tried
    for a day, and what waits behind it has its own."""
    if not _lock(connection, delivery):
        return False  # Somebody else tries it by now.
    since = delivery.failing_since or now
    if not is_given_up(since, now):
        connection.execute(
            update(notification_groups)
            .where(*_IS_OURS)
            .values(
                failing_since=since,
                error_code=code,
                next_at=retry_at,
                lease_until=None,
                lease_owner=None,
            ),
            _claim(delivery),
        )
        return False
    connection.execute(
        update(notifications).where(among_ids(_row.id), *WAITS).values(given_up_at=now),
        {"ids": listed(delivery.rows)},
    )
    _drop_ends(connection, delivery)
    _end(connection, delivery, now, attempts=0, failing_since=None, error_code=code)
    return True


def give_back(connection: Connection, delivery: Delivery, now: datetime) -> None:
    """Let somebody else send it at once, under the same key."""
    connection.execute(
        update(notification_groups)
        .where(*_IS_OURS)
        .values(
            next_at=now,
            attempts=_group.attempts - 1,
            lease_until=None,
            lease_owner=None,
        ),
        _claim(delivery),
    )


def drop_channels(
    connection: Connection, channels: Collection[str], now: datetime
) -> int:
    """Drop what waits for channels that are not configured, and has for an hour;
    returns how many."""
    # Of all channels in one order, as whoever writes to the outbox takes them.
    ids = connection.execute(
        select(_group.id)
        .where(_group.channel.in_(sorted(channels)), _group.next_at <= now - KEPT_FOR)
        .order_by(_group.id)
        .with_for_update()
    ).scalars()
    parameters = {"ids": listed(list(ids))}
    dropped = connection.execute(
        update(notifications)
        .where(among_ids(_row.group_id), *WAITS)
        .values(dropped_for=NO_CHANNEL),
        parameters,
    ).rowcount
    connection.execute(
        update(notification_groups)
        .where(among_ids(_group.id))
        .values(next_at=None, attempts=0, failing_since=None),
        parameters,
    )
    return dropped


def _lock(connection: Connection, delivery: Delivery) -> bool:
    """First the group, then its notifications, as everybody takes them. Returns
    whether the message is ours still."""
    owner = connection.execute(
        select(_group.lease_owner)
        .where(_group.id == delivery.group_id)
        .with_for_update()
    ).scalar_one_or_none()
    return owner == delivery.owner


def _drop_ends(connection: Connection, delivery: Delivery) -> None:
    """Nobody is told that something is over who does not know of it."""
    opened = [number for number, event in delivery.notices if event == "opened"]
    connection.execute(
        update(notifications)
        .where(
            _row.group_id == delivery.group_id,
            among_ids(_row.violation_id),
            _row.event == "resolved",
            _row.message_key.is_(None),
            *WAITS,
        )
        .values(dropped_for=NOT_TOLD),
        {"ids": listed(opened)},
    )


def _end(
    connection: Connection, delivery: Delivery, now: datetime, **values: object
) -> None:
    """End a claim whose group is locked, so that nobody adds to it meanwhile; what
    came in before is due an interval later."""
    claim = _claim(delivery)
    held = connection.execute(
        select(_group.interval_s).where(*_IS_OURS), claim
    ).one_or_none()
    if held is None:
        return
    waits = connection.execute(
        select(SOMETHING_WAITS).where(_group.id == delivery.group_id)
    ).scalar_one()
    later = now + timedelta(seconds=held.interval_s)
    connection.execute(
        update(notification_groups)
        .where(*_IS_OURS)
        .values(
            next_at=later if waits else None,
            lease_until=None,
            lease_owner=None,
            **values,
        ),
        claim,
    )


def _claim(delivery: Delivery) -> dict[str, object]:
    return {"claimed_id": delivery.group_id, "claimed_by": delivery.owner}
