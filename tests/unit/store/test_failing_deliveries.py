"""Messages that nobody takes: tried again, given up after a day, never lost before."""

from datetime import timedelta

import pytest

from support.outbox_world import OutboxWorld
from support.store_world import T0
from weighbridge.store.leases.validity import one_claim, this_process
from weighbridge.store.outbox.deliveries import (
    drop_channels,
    give_back,
    note_sent,
)
from weighbridge.store.outbox.due_groups import next_due
from weighbridge.store.session import Database

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def outbox(database: Database) -> OutboxWorld:
    return OutboxWorld(database)


def test_f38_a_message_that_failed_is_sent_again_under_its_key(
    outbox: OutboxWorld,
) -> None:
    outbox.opened("acme/a")
    first = outbox.claimed(T0)
    assert first is not None
    outbox.opened("acme/b", now=T0 + SECOND)

    assert outbox.failed(T0 + 2 * MINUTE) is False
    again = outbox.sent(T0 + 3 * MINUTE)

    assert again is not None
    assert (again.key, again.notices) == (first.key, first.notices)
    assert again.tries == 3


def test_what_comes_in_meanwhile_does_not_hurry_it(outbox: OutboxWorld) -> None:
    outbox.opened("acme/a")
    for moment in (T0, T0 + SECOND, T0 + 3 * SECOND):
        outbox.failed(moment)

    outbox.opened("acme/b", now=T0 + 4 * SECOND)

    assert outbox.claimed(T0 + 6 * SECOND) is None
    assert outbox.claimed(T0 + 7 * SECOND) is not None


def test_it_is_given_up_after_a_day_and_what_waits_behind_it_has_its_own(
    outbox: OutboxWorld,
) -> None:
    first = outbox.opened("acme/a")
    outbox.failed(T0)
    outbox.opened("acme/b", now=T0 + HOUR)
    # Nobody knows of the first one: nobody is told of its end.
    outbox.closed(first, now=T0 + 2 * HOUR)

    assert outbox.failed(T0 + DAY - MINUTE) is False
    assert outbox.failed(T0 + DAY) is True

    behind = outbox.sent(T0 + DAY + 5 * MINUTE)
    assert behind is not None
    assert behind.failing_since is None
    assert [row.is_given_up for row in outbox.kept()] == [True, False, False]
    assert outbox.kept()[2].dropped_for == "not_told"


def test_who_was_killed_by_a_message_does_not_begin_again_at_once(
    outbox: OutboxWorld,
) -> None:
    outbox.opened()
    # A process that is known to have ended: on this machine, without a number.
    where = this_process().partition(".")[0]
    gone = one_claim(f"{where}.999999999.1")

    assert outbox.claimed(T0, owner=gone) is not None
    assert outbox.claimed(T0 + SECOND / 2) is None
    assert outbox.claimed(T0 + SECOND) is not None


def test_of_a_process_on_another_machine_the_lease_decides(
    outbox: OutboxWorld,
) -> None:
    outbox.opened()
    outbox.claimed(T0, owner="elsewhere/1")

    assert outbox.claimed(T0 + 89 * SECOND) is None
    assert outbox.claimed(T0 + 91 * SECOND) is not None


def test_given_back_it_is_due_at_once_and_was_no_try(
    outbox: OutboxWorld, database: Database
) -> None:
    outbox.opened()
    delivery = outbox.claimed(T0)
    assert delivery is not None
    with database.write() as connection:
        give_back(connection, delivery, T0)

    again = outbox.claimed(T0)

    assert again is not None
    assert (again.key, again.tries) == (delivery.key, 1)


def test_who_comes_back_late_takes_no_lease_away(
    outbox: OutboxWorld, database: Database
) -> None:
    outbox.opened()
    late = outbox.claimed(T0, owner="a/1")
    assert late is not None
    other = outbox.claimed(T0 + 91 * SECOND, owner="b/1")
    assert other is not None

    with database.write() as connection:
        note_sent(connection, late, T0 + 92 * SECOND)

    # It is told, and the other one is still let alone with it.
    assert outbox.kept()[0].is_sent
    assert outbox.claimed(T0 + 100 * SECOND) is None
    with database.write() as connection:
        note_sent(connection, other, T0 + 100 * SECOND)
    assert outbox.claimed(T0 + DAY) is None


def test_what_waits_for_a_channel_that_is_gone_is_dropped(
    outbox: OutboxWorld, database: Database
) -> None:
    outbox.opened()

    with database.write() as connection:
        # Where a new configuration is rolled out, not everybody knows a channel yet.
        assert drop_channels(connection, {"ops"}, T0 + 59 * MINUTE) == 0
        assert drop_channels(connection, {"ops"}, T0 + HOUR) == 1

    assert [row.dropped_for for row in outbox.kept()] == ["no_channel"]
    assert outbox.sent(T0 + DAY) is None


def test_when_a_channel_is_due_next(outbox: OutboxWorld, database: Database) -> None:
    outbox.opened("acme/a")
    outbox.claimed(T0, owner="elsewhere/1")

    with database.read() as connection:
        held = next_due(connection, T0 + SECOND)

    # Not at its next try: somebody is at it.
    assert held == {"ops": T0 + 90 * SECOND}
