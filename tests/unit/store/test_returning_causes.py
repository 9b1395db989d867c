"""A cause that comes back after a long time: told as if for the first time, twice."""

from datetime import timedelta

import pytest

from support.outbox_world import OutboxWorld
from support.store_world import T0
from weighbridge.domain.message.grouping import Route
from weighbridge.domain.policy.policy import LimitKey
from weighbridge.store.session import Database

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
CAUSE = b"\x01" * 32
LATER = T0 + 40 * DAY


@pytest.fixture
def outbox(database: Database) -> OutboxWorld:
    """A cause that was told twice, forty days ago."""
    outbox = OutboxWorld(database, (Route("ops", group_by=("repository",)),))
    for name in ("acme/old", "acme/older"):
        outbox.opened(name, cause=CAUSE)
    assert outbox.sent_until(T0 + DAY) == [1, 1]
    return outbox


def test_a_cause_that_returns_after_a_month_is_one_first_and_one_gathered_message(
    outbox: OutboxWorld,
) -> None:
    for number in range(6):
        now = LATER + number * MINUTE
        outbox.opened(f"acme/r{number}", now=now, cause=CAUSE)
        if number == 0:
            assert outbox.sent(now) is not None
        assert outbox.sent(now) is None

    assert outbox.sent_until(LATER + 20 * DAY, now=LATER) == [5]
    late = outbox.opened("acme/late", now=LATER + DAY, cause=CAUSE)
    assert (outbox.kept()[-1].violation_id, outbox.kept()[-1].dropped_for) == (
        late,
        "listed",
    )


def test_two_that_return_before_the_first_is_told_are_two_messages(
    outbox: OutboxWorld,
) -> None:
    for number in range(3):
        outbox.opened(f"acme/r{number}", now=LATER, cause=CAUSE)

    assert outbox.sent_until(LATER + 20 * DAY, now=LATER) == [1, 2]


def test_an_end_that_was_told_meanwhile_keeps_nobody_from_being_told(
    outbox: OutboxWorld,
) -> None:
    _, older = (row.violation_id for row in outbox.kept())
    outbox.opened("acme/a", now=LATER, cause=CAUSE)
    # The cause's group tells an end after that, and so has sent something since.
    outbox.closed(older, now=LATER)
    assert outbox.sent_until(LATER + 10 * MINUTE, now=LATER) == [1, 1]

    outbox.opened("acme/b", now=LATER + 11 * MINUTE, cause=CAUSE)
    outbox.opened("acme/c", now=LATER + 12 * MINUTE, cause=CAUSE)

    assert outbox.sent_until(LATER + 20 * DAY, now=LATER) == [2]


def test_a_first_message_that_arrives_late_begins_nothing_anew(
    outbox: OutboxWorld,
) -> None:
    outbox.routes = (Route("ops", group_by=("repository",), group_interval_s=1),)
    first = outbox.opened("acme/a", now=LATER, cause=CAUSE)
    for seconds in (0, 1, 3):
        outbox.failed(LATER + seconds * SECOND)
    second = outbox.opened("acme/b", now=LATER + 4 * SECOND, cause=CAUSE)
    arrived = [outbox.sent(LATER + seconds * SECOND) for seconds in (5, 7)]
    assert [one.notices for one in arrived if one] == [
        ((second, "opened"),),
        ((first, "opened"),),
    ]

    outbox.opened("acme/c", now=LATER + 2 * DAY, cause=CAUSE)

    assert outbox.kept()[-1].dropped_for == "listed"


def test_other_limits_that_the_same_pushes_exceed_do_not_begin_a_cause_anew(
    database: Database,
) -> None:
    outbox = OutboxWorld(database, (Route("ops", group_by=("repository",)),))
    for number in range(6):
        now = T0 + number * HOUR
        keys: tuple[LimitKey, ...] = ("max_compressed", "max_layers")
        for limit_key in keys:
            outbox.opened(f"acme/r{number}", now=now, cause=CAUSE, limit_key=limit_key)
        outbox.sent_until(now + 30 * MINUTE, now=now)

    weights = outbox.kept()[::2]
    assert [row.is_sent for row in weights] == [True, True] + [False] * 4
    assert [row.dropped_for for row in weights] == [None, None] + ["listed"] * 4


@pytest.mark.parametrize(
    ("told_before", "told_ahead", "messages"), [(0, 3, 2), (2, 3, 2), (2, 1, 0)]
)
def test_what_a_clock_that_was_ahead_has_told_silences_no_cause_and_repeats_none(
    database: Database, told_before: int, told_ahead: int, messages: int
) -> None:
    outbox = OutboxWorld(database, (Route("ops", group_by=("repository",)),))
    for number in range(told_before):
        outbox.opened(f"acme/a{number}", cause=CAUSE)
        outbox.sent_until(T0 + HOUR)
    ahead = T0 + 365 * DAY
    for number in range(told_ahead):
        outbox.opened(f"acme/b{number}", now=ahead, cause=CAUSE)
    outbox.sent_until(ahead + DAY, now=ahead)

    told = []
    for number in range(4):
        now = T0 + 2 * DAY + number * HOUR
        outbox.opened(f"acme/c{number}", now=now, cause=CAUSE)
        told += outbox.sent_until(now + 30 * MINUTE, now=now)

    assert len(told) == messages
