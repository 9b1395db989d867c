"""Whoever writes to the outbox or empties it takes locks in one order: violations, the
lock of the outbox, groups by their ids, notifications. Here two meet half-way."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update

from support.outbox_world import OutboxWorld
from support.store_world import T0
from weighbridge.domain.message.grouping import Route
from weighbridge.store.models import (
    notification_groups,
    notifications,
    violations,
)
from weighbridge.store.outbox.deliveries import (
    claim_delivery,
    drop_channels,
    note_failed,
    note_sent,
)
from weighbridge.store.outbox.filling import put_notifications
from weighbridge.store.session import Connection, Database
from weighbridge.store.violations.violation_rows import (
    close_violations,
    forget_violations,
)

pytestmark = pytest.mark.only_on("postgresql")

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
CAUSE = b"\x01" * 32
BY_REPOSITORY = (Route("ops", group_by=("repository",)),)


@pytest.fixture
def outbox(database: Database) -> OutboxWorld:
    return OutboxWorld(database, BY_REPOSITORY)


@contextmanager
def waiting_for(connection: Connection, call: Callable[[], object]) -> Iterator[None]:
    """A call that waits for locks of `connection`, until the block ends. Raises what
    the call raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as exc:  # noqa: BLE001 - told to who waits for us
            raised.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(0.3)
    try:
        yield
        connection.commit()
    finally:
        thread.join(20)
    assert raised == []


def group_ids(connection: Connection) -> list[int]:
    rows = connection.execute(
        select(notification_groups.c.id).order_by(notification_groups.c.id)
    )
    return list(rows.scalars())


def lock_group(connection: Connection, number: int) -> None:
    connection.execute(
        select(notification_groups.c.id)
        .where(notification_groups.c.id == number)
        .with_for_update()
    )


@pytest.mark.parametrize("is_sent", [True, False])
def test_who_notes_how_a_message_ended_takes_the_group_first(
    outbox: OutboxWorld, is_sent: bool
) -> None:
    outbox.opened()
    outbox.failed(T0)
    delivery = outbox.claimed(T0 + DAY)
    assert delivery is not None

    def note() -> None:
        with outbox.database.write() as connection:
            if is_sent:
                note_sent(connection, delivery, T0 + DAY)
            else:
                at = T0 + DAY
                note_failed(connection, delivery, at, code="refused", retry_at=at)

    # As somebody does who forgets the repository.
    with outbox.database.write() as connection:
        lock_group(connection, delivery.group_id)
        with waiting_for(connection, note):
            connection.execute(delete(notifications))


def test_who_forgets_a_repository_waits_for_its_violations_before_groups(
    outbox: OutboxWorld,
) -> None:
    outbox.opened("acme/a", cause=CAUSE)
    outbox.sent(T0)
    outbox.opened("acme/b", cause=CAUSE)
    third = outbox.opened("acme/c", cause=CAUSE, routes=())

    def forget() -> None:
        with outbox.database.write() as connection:
            forget_violations(connection, outbox.repository(connection, "acme/b"))

    # As somebody does who judges acme/c: both share a cause, and are of one group.
    with outbox.database.write() as connection:
        connection.execute(
            select(violations.c.id)
            .where(
                violations.c.repository_id == outbox.repository(connection, "acme/b")
            )
            .with_for_update(skip_locked=True)
        )
        with waiting_for(connection, forget):
            put_notifications(connection, [third], "opened", BY_REPOSITORY, T0)

    assert [row.is_cause for row in outbox.kept()] == [False, True]


def test_who_sends_holds_no_group_while_it_waits_for_another(
    outbox: OutboxWorld,
) -> None:
    first, second = outbox.opened("acme/a"), outbox.opened("acme/b")
    assert first < second
    # The second group is due first, and nothing is left to be told of it.
    with outbox.database.write() as connection:
        low, high = group_ids(connection)
        close_violations(connection, [second], "pushed", T0)
        connection.execute(
            update(notification_groups)
            .where(notification_groups.c.id == high)
            .values(next_at=T0 - SECOND)
        )

    def send() -> None:
        with outbox.database.write() as connection:
            claim_delivery(connection, "ops", now=T0, lease_s=90, owner="a/1")

    with outbox.database.write() as connection:
        lock_group(connection, low)
        with waiting_for(connection, send):
            lock_group(connection, high)


def test_groups_of_several_channels_are_dropped_in_the_order_of_their_ids(
    outbox: OutboxWorld,
) -> None:
    for channel in ("zulu", "alpha"):
        outbox.opened(policy=channel, routes=(Route(channel),))

    def drop() -> None:
        with outbox.database.write() as connection:
            drop_channels(connection, ("alpha", "zulu"), T0 + HOUR)

    with outbox.database.write() as connection:
        low, high = group_ids(connection)
        lock_group(connection, low)
        with waiting_for(connection, drop):
            lock_group(connection, high)

    assert {row.dropped_for for row in outbox.kept()} == {"no_channel"}


def test_an_end_is_not_dropped_while_somebody_ends_the_violation_again(
    outbox: OutboxWorld,
) -> None:
    one = outbox.opened()
    outbox.sent(T0)
    outbox.closed(one, now=T0 + SECOND)
    with outbox.database.write() as connection:
        # It begins again, of which nobody is told.
        connection.execute(update(violations).values(closed_at=None))

    with outbox.database.write() as connection:
        close_violations(connection, [one], "pushed", T0 + HOUR)
        # Its end waits to be told: nothing more is written down.
        assert outbox.claimed(T0 + HOUR) is None

    again = outbox.sent(T0 + HOUR + SECOND)
    assert again is not None
    assert again.notices == ((one, "resolved"),)
