"""When messages are due: read by an index, and right when a clock was put back."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import event, insert, text

from support.outbox_world import OutboxWorld
from support.sqlite_steps import steps
from support.store_world import T0
from weighbridge.domain.message.grouping import Route
from weighbridge.store.models import notification_groups
from weighbridge.store.outbox.due_groups import due_groups, next_due, next_due_on
from weighbridge.store.session import Connection, Database

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
BY_REPOSITORY = Route("ops", group_by=("repository",))


@pytest.fixture
def outbox(database: Database) -> OutboxWorld:
    return OutboxWorld(database, (BY_REPOSITORY,))


def some_groups(database: Database, channel: str, count: int, first: datetime) -> None:
    """Groups whose next messages are due one second after the other."""
    row = {
        "channel": channel,
        "is_cause": False,
        "about": "",
        "wait_s": 0,
        "interval_s": 300,
        "messages": 0,
        "attempts": 0,
    }
    with database.write() as connection:
        connection.execute(
            insert(notification_groups),
            [
                row
                | {
                    "group_key": n.to_bytes(32, "big"),
                    "next_at": first + n * SECOND,
                }
                for n in range(count)
            ],
        )
        connection.execute(text("ANALYZE"))


def asked(connection: Connection) -> object:
    """All that a push and a claim ask."""
    now = T0 + 30 * SECOND
    return next_due(connection, now), list(due_groups(connection, "hook", now))


@pytest.mark.only_on("sqlite")
def test_asking_what_is_due_costs_the_same_however_many_groups_wait(
    database: Database,
) -> None:
    some_groups(database, "hook", 30, T0)
    some_groups(database, "ops", 30, T0)
    before = steps(database, asked)
    some_groups(database, "more", 5, T0)
    of_one_channel = steps(database, asked) - before
    with database.write() as connection:
        connection.execute(notification_groups.delete())
    some_groups(database, "ops", 3_000, T0)
    some_groups(database, "hook", 30, T0)

    after = steps(database, asked)

    assert 0 < after <= before + of_one_channel


@pytest.mark.only_on("postgresql")
def test_what_is_due_is_read_by_an_index_of_its_channel(database: Database) -> None:
    some_groups(database, "ops", 3_000, T0)
    some_groups(database, "hook", 1, T0 + HOUR)

    with database.read() as connection:
        told: list[tuple[str, dict[str, object]]] = []

        def note(
            _: object, __: object, statement: str, values: object, *___: object
        ) -> None:
            assert isinstance(values, dict)
            told.append((statement, values))

        event.listen(connection, "before_cursor_execute", note)
        asked(connection)
        event.remove(connection, "before_cursor_execute", note)
        plans = [
            "\n".join(connection.exec_driver_sql(f"EXPLAIN {one}", values).scalars())
            for one, values in told
        ]

    of_groups = [
        plan
        for plan, (one, _) in zip(plans, told, strict=True)
        if "channel_paces" not in one
    ]
    assert len({one for one, _ in told}) == 5
    assert [plan for plan in plans if "Seq Scan on notification" in plan] == []
    assert all("ix_notification_groups_next_at" in plan for plan in of_groups)


def test_each_channel_is_named_with_what_is_due_there_first(
    database: Database,
) -> None:
    for channel, first in (("b", T0 + MINUTE), ("a", T0 + SECOND), ("c", T0)):
        some_groups(database, channel, 3, first)

    with database.read() as connection:
        assert next_due(connection, T0) == {
            "a": T0 + SECOND,
            "b": T0 + MINUTE,
            "c": T0,
        }


def test_what_is_in_hand_keeps_nothing_behind_it_from_being_due(
    outbox: OutboxWorld,
) -> None:
    outbox.opened("acme/a")
    outbox.opened("acme/b", now=T0 + MINUTE)
    assert outbox.claimed(T0, owner="elsewhere/1") is not None

    assert outbox.next_due(T0 + SECOND) == T0 + MINUTE


def test_a_message_that_failed_often_is_not_due_as_soon_as_its_lease_ends(
    outbox: OutboxWorld, database: Database
) -> None:
    outbox.opened()
    now = T0
    for _ in range(10):
        outbox.failed(now)
        now += 15 * MINUTE
    outbox.claimed(now, owner="elsewhere/1")  # its lease ends before its pause

    with database.read() as connection:
        assert next_due_on(connection, "ops", now + SECOND) == now + 15 * MINUTE


def test_a_clock_that_is_put_back_by_an_hour_holds_no_message_up(
    outbox: OutboxWorld,
) -> None:
    ahead = T0 + HOUR
    outbox.opened("acme/a", now=ahead)

    assert outbox.next_due(T0) == T0
    sent = outbox.sent(T0)

    assert sent is not None
    assert outbox.next_due(T0) is None


def test_a_clock_that_is_put_back_holds_up_nothing_that_is_gathered_or_failed(
    outbox: OutboxWorld,
) -> None:
    ahead = T0 + HOUR
    outbox.opened("acme/a", now=ahead)
    assert outbox.sent(ahead) is not None
    outbox.opened("acme/b", now=ahead)
    outbox.failed(ahead)
    outbox.opened("acme/a", now=ahead + SECOND)  # due an interval later

    sent = [outbox.sent(T0) for _ in range(3)]

    assert [one is not None for one in sent] == [True, True, False]


def test_what_comes_in_after_a_clock_was_put_back_is_not_put_off_by_what_was_sent(
    outbox: OutboxWorld,
) -> None:
    outbox.opened("acme/a", now=T0 + DAY)
    assert outbox.sent(T0 + DAY) is not None

    outbox.opened("acme/a", now=T0)

    assert outbox.next_due(T0) == T0 + 5 * MINUTE


def test_a_lease_of_a_clock_that_was_ahead_is_no_lease(outbox: OutboxWorld) -> None:
    outbox.opened(now=T0 + HOUR)
    first = outbox.claimed(T0 + HOUR, owner="elsewhere/1")

    again = outbox.claimed(T0, owner="elsewhere/2")

    assert first is not None
    assert again is not None
    assert again.key == first.key


@pytest.mark.parametrize(
    ("route", "at"),
    [
        (Route("ops", group_wait_s=3 * 3600), T0 + 3 * HOUR),
        (Route("ops", group_interval_s=7 * 86_400), T0 + 7 * DAY),
    ],
    ids=["wait", "interval"],
)
def test_what_a_route_puts_off_for_long_is_no_fault_of_a_clock(
    database: Database, route: Route, at: datetime
) -> None:
    outbox = OutboxWorld(database, (route,))
    if not route.group_wait_s:
        outbox.opened()
        outbox.sent(T0)
    outbox.opened()

    assert outbox.claimed(T0) is None
    assert outbox.next_due(T0) == at


def test_clocks_of_two_processes_may_be_apart(outbox: OutboxWorld) -> None:
    outbox.opened()
    for number in range(12):
        now = T0 + number * 15 * MINUTE
        outbox.failed(now)

    # Put off by the longest pause, and asked by one whose clock is behind.
    assert outbox.claimed(now - 2 * SECOND) is None


@pytest.mark.parametrize("wait_s", [600, 3 * 3600])
def test_what_is_told_at_once_does_not_wait_with_what_a_slower_route_gathers(
    database: Database, wait_s: int
) -> None:
    outbox = OutboxWorld(database)
    outbox.opened("acme/a", routes=(Route("ops", group_wait_s=wait_s),))

    outbox.opened("acme/b", routes=(Route("ops"),), now=T0 + SECOND)

    assert outbox.next_due(T0) == T0 + SECOND


def test_what_is_gathered_longer_does_not_put_off_what_waits(
    outbox: OutboxWorld,
) -> None:
    outbox.opened("acme/a", routes=(Route("ops", group_wait_s=600),))

    slower = Route("ops", group_wait_s=3 * 3600)
    outbox.opened("acme/b", routes=(slower,), now=T0 + SECOND)

    assert outbox.next_due(T0) == T0 + 10 * MINUTE
