"""Ten new messages a minute on a channel: the rest is gathered into one."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from support.outbox_world import OutboxWorld
from support.store_world import T0
from weighbridge.domain.message.grouping import MESSAGES_A_MINUTE, Route
from weighbridge.store.outbox.deliveries import Delivery
from weighbridge.store.session import Database

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
CAUSE = b"\x01" * 32
TEN = MESSAGES_A_MINUTE


@pytest.fixture
def outbox(database: Database) -> OutboxWorld:
    """With the default way of grouping."""
    return OutboxWorld(database, (Route("ops"),))


def told(delivery: Delivery | None) -> list[tuple[int, str]]:
    assert delivery is not None
    return list(delivery.notices)


def test_a_second_teams_push_does_not_wait_behind_the_firsts(
    outbox: OutboxWorld,
) -> None:
    first = outbox.opened("acme/a", team="shop")
    assert told(outbox.sent(T0)) == [(first, "opened")]

    second = outbox.opened("pay/b", now=T0 + SECOND, team="pay")

    assert told(outbox.sent(T0 + SECOND)) == [(second, "opened")]


def test_from_the_eleventh_in_a_minute_on_the_rest_is_one_message(
    outbox: OutboxWorld,
) -> None:
    ids = [outbox.opened(f"acme/r{number}") for number in range(30)]

    alone = [told(outbox.sent(T0)) for _ in range(TEN)]

    assert alone == [[(one, "opened")] for one in ids[:TEN]]
    assert outbox.sent(T0 + 59 * SECOND) is None
    assert outbox.next_due(T0) == T0 + MINUTE
    gathered = outbox.sent(T0 + MINUTE)
    assert told(gathered) == [(one, "opened") for one in ids[TEN:]]
    assert gathered is not None
    assert (gathered.about, gathered.is_cause) == ("", False)
    assert outbox.next_due(T0 + MINUTE) is None


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_sixty_repositories_at_once_are_eleven_messages(outbox: OutboxWorld) -> None:
    for number in range(60):
        moment = T0 + number * 20 * timedelta(milliseconds=1)
        outbox.opened(f"acme/r{number}", now=moment, cause=number.to_bytes(32, "big"))

    assert outbox.sent_until(T0 + DAY) == [1] * TEN + [50]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_cause_that_is_shared_stays_one_first_and_one_gathered_message(
    outbox: OutboxWorld,
) -> None:
    for number in range(30):
        outbox.opened(f"acme/r{number}", cause=CAUSE)

    assert outbox.sent_until(T0 + DAY) == [1, 29]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_cause_whose_first_was_gathered_is_still_told_twice_at_most(
    outbox: OutboxWorld,
) -> None:
    for number in range(TEN):
        outbox.opened(f"acme/r{number}")
        outbox.sent(T0)
    for number in range(4):
        outbox.opened(f"base/r{number}", cause=CAUSE)

    assert outbox.sent_until(T0 + DAY) == [1, 3]
    outbox.opened("base/late", now=T0 + DAY, cause=CAUSE)
    assert outbox.sent_until(T0 + 2 * DAY, now=T0 + DAY) == []


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_what_comes_later_than_a_minute_is_a_message_of_its_own_again(
    outbox: OutboxWorld,
) -> None:
    for number in range(TEN + 5):
        outbox.opened(f"acme/r{number}")
    assert outbox.sent_until(T0 + MINUTE) == [1] * TEN + [5]

    later = T0 + 2 * MINUTE
    ids = [outbox.opened(f"acme/later{n}", now=later) for n in range(2)]

    assert [told(outbox.sent(later)) for _ in ids] == [[(one, "opened")] for one in ids]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_in_no_minute_are_more_than_ten_messages_begun(outbox: OutboxWorld) -> None:
    moments = []
    for number in range(90):
        now = T0 + number * 2 * SECOND
        outbox.opened(f"acme/r{number}", now=now)
        while outbox.sent(now) is not None:
            moments.append(now)

    assert all(
        later - earlier >= MINUTE
        for earlier, later in zip(moments, moments[TEN:], strict=False)
    )
    outbox.sent_until(T0 + DAY, now=T0 + 180 * SECOND)
    assert all(row.is_sent for row in outbox.kept())


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_try_again_is_no_new_message_and_waits_for_nobody(
    outbox: OutboxWorld,
) -> None:
    outbox.opened("acme/broken")
    assert not outbox.failed(T0)
    for number in range(TEN + 1):
        outbox.opened(f"acme/r{number}")
    for _ in range(TEN - 1):
        assert outbox.sent(T0) is not None

    again = outbox.next_due(T0)

    assert again is not None
    assert again < T0 + 5 * SECOND
    sent = outbox.sent(again)
    assert sent is not None
    assert sent.tries == 2
    assert outbox.sent(again) is None


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_one_channel_does_not_hold_up_another(database: Database) -> None:
    ops = Route("ops")
    outbox = OutboxWorld(database, (ops, replace(ops, channel="hook")))
    for number in range(TEN + 1):
        outbox.opened(f"acme/r{number}")
        outbox.sent(T0, "ops")

    assert outbox.sent(T0, "ops") is None
    assert outbox.sent(T0, "hook") is not None


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_the_end_of_what_was_gathered_is_told_behind_it(outbox: OutboxWorld) -> None:
    ids = [outbox.opened(f"acme/r{number}") for number in range(TEN + 3)]
    outbox.sent_until(T0 + MINUTE)

    outbox.closed(*ids[TEN:], now=T0 + 3 * MINUTE)

    sent = outbox.sent(T0 + 3 * MINUTE)
    assert told(sent) == [(one, "resolved") for one in ids[TEN:]]


def test_a_gathered_message_that_fails_is_sent_again_under_its_key(
    outbox: OutboxWorld,
) -> None:
    for number in range(TEN + 3):
        outbox.opened(f"acme/r{number}")
    for _ in range(TEN):
        outbox.sent(T0)
    first = outbox.claimed(T0 + MINUTE, owner="killed/1")
    late = outbox.opened("acme/late", now=T0 + MINUTE)

    sent = [outbox.sent(T0 + 3 * MINUTE) for _ in range(2)]

    assert first is not None
    assert (late, "opened") in told(sent[0])
    again = sent[1]
    assert again is not None
    assert (again.key, again.rows) == (first.key, first.rows)


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_clock_that_was_ahead_holds_nothing_back(outbox: OutboxWorld) -> None:
    ahead = T0 + DAY
    for number in range(TEN):
        outbox.opened(f"acme/r{number}", now=ahead)
        outbox.sent(ahead)

    one = outbox.opened("acme/now", now=T0)

    assert told(outbox.sent(T0)) == [(one, "opened")]


def test_what_was_closed_while_it_waited_is_not_told(outbox: OutboxWorld) -> None:
    ids = [outbox.opened(f"acme/r{number}") for number in range(TEN + 2)]
    for _ in range(TEN):
        outbox.sent(T0)
    outbox.closed(ids[-1], now=T0 + SECOND)

    assert told(outbox.sent(T0 + MINUTE)) == [(ids[-2], "opened")]
    assert [row.dropped_for for row in outbox.kept()][-1] == "closed"
