"""The outbox: who is told of what, in which message, and of what nobody is told."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from support.outbox_world import OPS, OutboxWorld
from support.store_world import T0
from weighbridge.domain.message.grouping import Route, RouteMatch
from weighbridge.store.outbox.deliveries import Delivery
from weighbridge.store.session import Database

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
INTERVAL = 5 * MINUTE
DAY = timedelta(days=1)
CAUSE = b"\x01" * 32


@pytest.fixture
def outbox(database: Database) -> OutboxWorld:
    return OutboxWorld(database)


def told(delivery: Delivery | None) -> list[tuple[int, str]]:
    return [] if delivery is None else list(delivery.notices)


def test_the_first_of_a_group_is_told_at_once_and_the_rest_gathered(
    outbox: OutboxWorld,
) -> None:
    first = outbox.opened("acme/a")
    assert told(outbox.sent(T0)) == [(first, "opened")]

    second = outbox.opened("acme/b", now=T0 + SECOND)
    third = outbox.opened("acme/c", now=T0 + MINUTE)

    assert outbox.sent(T0 + INTERVAL - SECOND) is None
    assert told(outbox.sent(T0 + INTERVAL)) == [(second, "opened"), (third, "opened")]
    assert outbox.sent(T0 + DAY) is None


def test_a_route_may_wait_before_its_first_message(database: Database) -> None:
    outbox = OutboxWorld(
        database, (Route("ops", group_by=("policy",), group_wait_s=30),)
    )
    first = outbox.opened("acme/a")
    second = outbox.opened("acme/b", now=T0 + 10 * SECOND)

    assert outbox.sent(T0 + 29 * SECOND) is None
    assert told(outbox.sent(T0 + 30 * SECOND)) == [
        (first, "opened"),
        (second, "opened"),
    ]


def test_groups_are_what_a_route_says(database: Database) -> None:
    outbox = OutboxWorld(database, (Route("ops", group_by=("team",)),))
    outbox.opened("acme/a", team="shop")
    outbox.sent(T0)

    outbox.opened("acme/b", team="shop", policy="other")
    other = outbox.opened("acme/c", team="pay")

    assert told(outbox.sent(T0)) == [(other, "opened")]
    assert outbox.sent(T0) is None


def test_every_channel_that_matches_is_told_once(database: Database) -> None:
    critical = RouteMatch(severities=("critical",))
    outbox = OutboxWorld(
        database, (Route("pager", critical), Route("ops"), Route("ops", critical))
    )
    outbox.opened("acme/a", severity="critical")
    outbox.opened("acme/b")

    channels = [row.channel for row in outbox.kept()]

    assert sorted(channels) == ["ops", "ops", "pager"]


def test_put_twice_is_told_once(outbox: OutboxWorld) -> None:
    one = outbox.opened()

    assert outbox.put("opened", one) == 0
    assert len(outbox.kept()) == 1


def test_nobody_is_told_without_a_route_or_of_what_is_silent(
    outbox: OutboxWorld,
) -> None:
    outbox.opened(routes=())
    outbox.opened(is_silent=True)

    assert outbox.kept() == []


def test_its_end_is_told_where_its_opening_was(outbox: OutboxWorld) -> None:
    one = outbox.opened()
    outbox.sent(T0)

    # Whatever the routes are by now, and by whomever it was found.
    assert outbox.closed(one, now=T0 + DAY, routes=()) == 1

    assert told(outbox.sent(T0 + DAY)) == [(one, "resolved")]


def test_closed_before_it_was_told_it_is_not_told_at_all(outbox: OutboxWorld) -> None:
    one = outbox.opened()

    assert outbox.closed(one, now=T0 + SECOND) == 0

    assert outbox.sent(T0 + DAY) is None
    assert [row.dropped_for for row in outbox.kept()] == ["closed"]


def test_what_may_have_been_told_is_resolved_behind_it(outbox: OutboxWorld) -> None:
    one = outbox.opened()
    # Sent perhaps, and not noted: its process was killed.
    begun = outbox.claimed(T0)
    outbox.closed(one, now=T0 + SECOND)

    again = outbox.sent(T0 + 91 * SECOND)
    behind = outbox.sent(T0 + 91 * SECOND + INTERVAL)

    assert begun is not None
    assert again is not None
    assert again.key == begun.key
    assert told(again) == [(one, "opened")]
    assert told(behind) == [(one, "resolved")]


def test_what_comes_while_a_message_is_on_its_way_is_in_the_next(
    outbox: OutboxWorld,
) -> None:
    first = outbox.opened("acme/a")
    begun = outbox.claimed(T0)
    second = outbox.opened("acme/b", now=T0 + SECOND)

    again = outbox.sent(T0 + 91 * SECOND)

    assert told(begun) == told(again) == [(first, "opened")]
    assert outbox.sent(T0 + 91 * SECOND) is None
    assert told(outbox.sent(T0 + 91 * SECOND + INTERVAL)) == [(second, "opened")]


def test_two_never_have_one_group(outbox: OutboxWorld) -> None:
    outbox.opened()

    first = outbox.claimed(T0, owner="a/1")
    second = outbox.claimed(T0 + 2 * SECOND, owner="b/1")

    assert first is not None
    assert second is None


def test_waived_meanwhile_it_is_not_told(outbox: OutboxWorld) -> None:
    outbox.opened("acme/app")
    outbox.waived("acme/*", T0)

    assert outbox.sent(T0) is None
    assert [row.dropped_for for row in outbox.kept()] == ["waived"]


def test_what_begins_again_is_told_after_all_if_nobody_knew(
    outbox: OutboxWorld, database: Database
) -> None:
    one = outbox.opened()
    outbox.closed(one, now=T0)
    reopen(database, one)

    assert outbox.put("opened", one) == 1
    assert told(outbox.sent(T0)) == [(one, "opened")]


def test_an_end_that_did_not_last_is_not_told(
    outbox: OutboxWorld, database: Database
) -> None:
    one = outbox.opened()
    outbox.sent(T0)
    outbox.closed(one, now=T0 + SECOND)
    reopen(database, one)

    assert outbox.sent(T0 + INTERVAL) is None
    # And when it does last, it is.
    outbox.closed(one, now=T0 + DAY)
    assert told(outbox.sent(T0 + DAY)) == [(one, "resolved")]


def test_one_cause_is_one_first_and_one_gathered_message(outbox: OutboxWorld) -> None:
    first = outbox.opened("acme/a", cause=CAUSE, policy="a")
    assert told(outbox.sent(T0)) == [(first, "opened")]

    others = [
        outbox.opened(f"acme/r{n}", now=T0 + n * MINUTE, cause=CAUSE, policy=f"p{n}")
        for n in range(1, 20)
    ]

    # Put off for as long as more of them come in.
    assert outbox.sent(T0 + 19 * MINUTE) is None
    gathered = outbox.sent(T0 + 24 * MINUTE)
    assert gathered is not None
    assert gathered.is_cause
    assert told(gathered) == [(one, "opened") for one in others]


def test_what_has_a_cause_that_was_told_is_only_listed(outbox: OutboxWorld) -> None:
    outbox.opened("acme/a", cause=CAUSE)
    outbox.sent(T0)
    outbox.opened("acme/b", now=T0, cause=CAUSE)
    assert outbox.sent(T0 + INTERVAL) is not None

    late = outbox.opened("acme/c", now=T0 + 3 * DAY, cause=CAUSE)
    assert outbox.closed(late, now=T0 + 4 * DAY) == 0

    assert outbox.sent(T0 + 5 * DAY) is None
    assert outbox.kept()[-1].dropped_for == "listed"


def test_a_cause_is_told_anew_after_a_week(outbox: OutboxWorld) -> None:
    outbox.opened("acme/a", cause=CAUSE)
    outbox.sent(T0)
    outbox.opened("acme/b", now=T0, cause=CAUSE)
    outbox.sent(T0 + INTERVAL)
    later = T0 + 8 * DAY

    anew = outbox.opened("acme/c", now=later, cause=CAUSE)
    assert told(outbox.sent(later)) == [(anew, "opened")]

    last = outbox.opened("acme/d", now=later + SECOND, cause=CAUSE)
    assert outbox.sent(later + INTERVAL) is None
    assert told(outbox.sent(later + SECOND + INTERVAL)) == [(last, "opened")]


def test_each_channel_has_its_own_idea_of_what_was_told(database: Database) -> None:
    of_a = Route("a", RouteMatch(repository="acme/a"))
    outbox = OutboxWorld(database, (of_a, OPS))
    outbox.opened("acme/a", cause=CAUSE, routes=(of_a,))
    outbox.sent(T0, "a")

    other = outbox.opened("acme/b", cause=CAUSE)

    assert told(outbox.sent(T0, "ops")) == [(other, "opened")]


def test_a_number_of_layers_has_no_cause_in_common(outbox: OutboxWorld) -> None:
    outbox.opened("acme/a", cause=CAUSE, limit_key="max_layers")
    outbox.opened("acme/b", cause=CAUSE, limit_key="max_layers")

    assert [row.is_cause for row in outbox.kept()] == [False, False]


@pytest.mark.slow
@pytest.mark.long_on("postgresql")  # what is chosen is chosen by the same statements
@pytest.mark.parametrize("cause", [CAUSE, None], ids=["one-cause", "no-cause"])
def test_f39_500_repositories_at_once_are_one_first_and_one_gathered_message(
    database: Database, cause: bytes | None
) -> None:
    outbox = OutboxWorld(database, (OPS, replace(OPS, channel="hook")))
    # By one policy; their causes differ, or are the same.
    moments = [T0 + n * timedelta(milliseconds=20) for n in range(500)]
    for number, moment in enumerate(moments):
        own = number.to_bytes(32, "big")
        outbox.opened(f"acme/r{number}", now=moment, cause=cause or own)
        outbox.sent(moment, "ops")
        outbox.sent(moment, "hook")

    for channel in ("ops", "hook"):
        assert outbox.sent_until(T0 + 30 * DAY, channel) == [499]


def reopen(database: Database, violation_id: int) -> None:
    from sqlalchemy import update

    from weighbridge.store.models import violations

    with database.write() as connection:
        connection.execute(
            update(violations)
            .where(violations.c.id == violation_id)
            .values(closed_at=None, closed_by=None)
        )
