"""The outbox, as it is emptied: one group at a time is claimed, sent and noted, as
told, to be tried again, given up, given back, or dropped.

The key of a message is kept before it is sent. Whoever sends it again, because nobody
knows whether it arrived, sends the same notifications under the same key.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from msgspec import Struct
from sqlalchemy import Connection, Row, bindparam, case, literal, select, update

from weighbridge.domain.message.grouping import (
    FIRST_PAUSE,
    NotificationEvent,
    is_given_up,
    message_key,
    pause_after,
)
from weighbridge.domain.policy.waiver import ActiveWaivers
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.models import (
    CLOSED,
    OPEN_AGAIN,
    REVOCABLE,
    WAIVED,
    notification_groups,
    notifications,
    violations,
)
from weighbridge.store.models.types import Moment
from weighbridge.store.named_rows import NAMES, from_row, named
from weighbridge.store.outbox.due_groups import (
    SOMETHING_WAITS,
    WAITS,
    Group,
    due_groups,
    groups_in_turn,
    is_free,
    lock_pace,
    note_begun,
)
from weighbridge.store.violations.waivers import active_waivers, waiver_of

NO_CHANNEL: Final = "no_channel"
"""Its channel is not configured any more."""
NOT_TOLD: Final = "not_told"
"""That it is over, where its opening could not be told."""
KEPT_FOR: Final = timedelta(hours=1)
"""So long what waits is kept for a channel that is not configured: while a new
configuration is rolled out, some processes do not know it yet."""

_Notification: TypeAlias = Row[*tuple[Any, ...]]
"""As `_WAITING` selects it."""
_group = notification_groups.c
_row = notifications.c
_FREE: Final[dict[str, Any]] = {"lease_until": None, "lease_owner": None}
_WAITING: Final = (
    select(
        _row.id,
        _row.violation_id,
        _row.event,
        _row.created_at,
        _row.message_key,
        violations.c.closed_at,
        violations.c.tag,
        violations.c.limit_key,
        *NAMES,
    )
    .select_from(named(violations))
    .join(notifications, violations.c.id == _row.violation_id)
    .where(_row.group_id == bindparam("group_id"), *WAITS)
    .order_by(_row.id)
)
_OPEN: Final = (
    select(violations.c.id)
    .where(among_ids(violations.c.id), violations.c.closed_at.is_(None))
    .with_for_update(read=True, skip_locked=True)
)
_IS_UNTRIED: Final = (among_ids(_row.id), _row.message_key.is_(None), *WAITS)


class Delivery(Struct, frozen=True):
    """A message that is to be sent now, and the right to do so until its lease ends.

    about:      what its items have in common, "" for nothing
    is_cause:   they have their cause in common
    key:        the same whenever this message is sent
    rows:       its notifications
    notices:    each violation with what is told of it
    tries:      with this one, since its group last got through
    """

    group_id: int
    channel: str
    about: str
    is_cause: bool
    key: str
    owner: str
    rows: tuple[int, ...]
    notices: tuple[tuple[int, NotificationEvent], ...]
    tries: int
    failing_since: datetime | None


def claim_delivery(
    connection: Connection, channel: str, *, now: datetime, lease_s: float, owner: str
) -> Delivery | None:
    """Take the channel's group that is due for longest, and note the key of its
    message. None where no group is due that nobody else has, or where the channel had
    as many new messages as it has in a minute.

    What need not be told any more is dropped: a violation that was closed before
    anybody knew of it, one that is waived by now, the end of one that is open again.

    owner: as `validity.one_claim` makes it
    """
    if not any(due_groups(connection, channel, now)):
        return None
    begun = lock_pace(connection, channel)
    for group in groups_in_turn(connection, channel, begun, now):
        if is_free(group, now) and _take(connection, group, now, lease_s, owner):
            delivery = _delivery(connection, group, now, owner)
            if delivery is not None:
                if not group.attempts:
                    note_begun(connection, channel, begun, now)
                return delivery
            # Nothing was left to be told, or nothing that is certain by now.
            _end(connection, group.id, owner, now + FIRST_PAUSE)
    return None


def _take(
    connection: Connection,
    group: Group,
    now: datetime,
    lease_s: float,
    owner: str,
) -> bool:
    """The next try is put off before this one begins: who is killed by a message does
    not begin again at once.

    A group whose row somebody has in hand is passed over: they may wait for one that
    we have settled."""
    unchanged = (
        _group.id == group.id,
        _group.lease_owner.is_not_distinct_from(group.lease_owner),
        _group.attempts == group.attempts,
        _group.next_at == group.next_at,
    )
    free = select(_group.id).where(*unchanged).with_for_update(skip_locked=True)
    taken = connection.execute(
        update(notification_groups)
        .where(_group.id.in_(free))
        .values(
            next_at=now + pause_after(group.attempts + 1, 1.0),
            attempts=group.attempts + 1,
            lease_until=now + timedelta(seconds=lease_s),
            lease_owner=owner,
        )
    )
    return taken.rowcount == 1


def _delivery(
    connection: Connection,
    group: Group,
    now: datetime,
    owner: str,
) -> Delivery | None:
    waiting = connection.execute(_WAITING, {"group_id": group.id}).all()
    begun = next((row.message_key for row in waiting if row.message_key), None)
    if begun is None:
        rows = _still_wanted(connection, waiting, now)
        key = message_key(group.channel, [(row.id, row.created_at) for row in rows])
        rows = _keyed(connection, rows, key)
    else:
        key = begun
        rows = [row for row in waiting if row.message_key == begun]
    if not rows:
        return None
    return from_row(
        Delivery,
        group._mapping,
        group_id=group.id,
        key=key,
        owner=owner,
        rows=tuple(row.id for row in rows),
        notices=tuple((row.violation_id, row.event) for row in rows),
        tries=group.attempts + 1,
    )


def _still_wanted(
    connection: Connection, waiting: Sequence[_Notification], now: datetime
) -> list[_Notification]:
    """Those that are to be told; the others are dropped with the reason."""
    waivers = active_waivers(connection, now)
    reasons = {row.id: _reason(row, waivers, now) for row in waiting}
    again = [row for row in waiting if reasons[row.id] == OPEN_AGAIN]
    certain: set[int] = set()
    if again:
        # Those that stay open until we commit. What somebody has in hand may be closed
        # by them just now, and they take it that its end still waits to be told.
        ids = sorted({row.violation_id for row in again})
        certain = set(connection.execute(_OPEN, {"ids": listed(ids)}).scalars())
    in_doubt = {row.id for row in again if row.violation_id not in certain}
    for reason in REVOCABLE:
        doomed = [
            one for one, why in reasons.items() if why == reason and one not in in_doubt
        ]
        if doomed:
            connection.execute(
                update(notifications).where(*_IS_UNTRIED).values(dropped_for=reason),
                {"ids": listed(doomed)},
            )
    return [row for row in waiting if reasons[row.id] is None]


def _reason(row: _Notification, waivers: ActiveWaivers, now: datetime) -> str | None:
    if row.event != "opened":
        return OPEN_AGAIN if row.closed_at is None else None
    if row.closed_at is not None:
        return CLOSED
    return WAIVED if waiver_of(waivers, row, now) else None


def _keyed(
    connection: Connection, rows: Sequence[_Notification], key: str
) -> list[_Notification]:
    """Those that got the key; another transaction may just have dropped some."""
    if not rows:
        return []
    got = set(
        connection.execute(
            update(notifications)
            .where(*_IS_UNTRIED)
            .values(message_key=key)
            .returning(_row.id),
            {"ids": listed([row.id for row in rows])},
        ).scalars()
    )
    return [row for row in rows if row.id in got]


def note_sent(connection: Connection, delivery: Delivery, now: datetime) -> None:
    """The receiver has it. Noted again, or by somebody whose lease has ended, nothing
    is lost: the rows are told in any case."""
    interval = _lock(connection, delivery)
    connection.execute(
        update(notifications)
        .where(among_ids(_row.id), _row.sent_at.is_(None))
        .values(sent_at=now),
        {"ids": listed(delivery.rows)},
    )
    if interval is not None:
        has_opened = any(event == "opened" for _, event in delivery.notices)
        _end(
            connection,
            delivery.group_id,
            delivery.owner,
            now + interval,
            last_sent_at=now,
            messages=_group.messages + (1 if has_opened else 0),
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
    interval = _lock(connection, delivery)
    if interval is None:
        return False  # Somebody else tries it by now.
    since = delivery.failing_since or now
    if not is_given_up(since, now):
        connection.execute(
            update(notification_groups)
            .where(_group.id == delivery.group_id)
            .values(failing_since=since, error_code=code, next_at=retry_at, **_FREE)
        )
        return False
    connection.execute(
        update(notifications).where(among_ids(_row.id), *WAITS).values(given_up_at=now),
        {"ids": listed(delivery.rows)},
    )
    # Nobody is told that something is over who does not know of it.
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
    _end(
        connection,
        delivery.group_id,
        delivery.owner,
        now + interval,
        error_code=code,
    )
    return True


def give_back(connection: Connection, delivery: Delivery, now: datetime) -> None:
    """Let somebody else send it at once, under the same key."""
    connection.execute(
        update(notification_groups)
        .where(_group.id == delivery.group_id, _group.lease_owner == delivery.owner)
        .values(next_at=now, attempts=_group.attempts - 1, **_FREE)
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


def _lock(connection: Connection, delivery: Delivery) -> timedelta | None:
    """First the group, then its notifications, as everybody takes them. Returns the
    group's interval; None: the message is not ours any more."""
    group = connection.execute(
        select(_group.lease_owner, _group.interval_s)
        .where(_group.id == delivery.group_id)
        .with_for_update()
    ).one_or_none()
    if group is None or group.lease_owner != delivery.owner:
        return None
    return timedelta(seconds=group.interval_s)


def _end(
    connection: Connection,
    group_id: int,
    owner: str,
    due_at: datetime,
    **values: object,
) -> None:
    """End a claim; what came in before is due then. The group is locked, so that nobody
    adds to it meanwhile."""
    connection.execute(
        update(notification_groups)
        .where(_group.id == group_id, _group.lease_owner == owner)
        .values(
            next_at=case((SOMETHING_WAITS, literal(due_at, Moment()))),
            attempts=0,
            failing_since=None,
            **_FREE,
            **values,
        )
    )
