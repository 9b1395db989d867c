"""The taking half of the inbox: what is due, what is done, what is put off."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import text

from support.database import Engine
from support.images import an_image, some_layers
from support.push_world import a_push, outcomes, receive
from support.store_world import T0, World
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.webhook.webhook_source import PushSeen
from weighbridge.store.leases.validity import one_claim
from weighbridge.store.pushes.inbox import (
    BURST,
    InboxState,
    PushedTo,
    WaitingPush,
    claim_new,
    drop_waiting,
    end_check,
    find_known,
    hold_back,
    inbox,
    next_due,
    note_done,
    pushed_to,
    put_off,
    tags_at,
    take,
    too_soon,
    worst_of,
)
from weighbridge.store.session import Database

APP = PushedTo("hub", "acme/app")
SECOND = timedelta(seconds=1)


def tell(database: Database, *events: PushSeen) -> None:
    receive(database, T0, *events, registry="hub")


def taken(database: Database, at: timedelta = SECOND) -> Sequence[WaitingPush]:
    with database.read() as connection:
        return take(connection, APP, T0 + at)


def ids(events: Sequence[WaitingPush]) -> list[int]:
    return [event.id for event in events]


def test_a_push_is_taken_as_it_was_told(database: Database) -> None:
    digest = Digest("sha256:" + "a" * 64)
    tell(database, a_push("1.0", digest=digest, pushed_at=T0 - SECOND))

    (event,) = taken(database)

    assert (event.tag, event.digest, event.is_delete) == ("1.0", digest, False)
    assert (event.pushed_at, event.received_at) == (T0 - SECOND, T0)
    assert event.attempts == 0


def test_only_one_repository_of_one_registry_is_taken(database: Database) -> None:
    tell(database, a_push("1.0"), a_push("1.0", repository="acme/other"))
    receive(database, T0, a_push("1.0"), registry="near")

    assert len(taken(database)) == 1


def test_what_is_done_is_what_was_taken(database: Database) -> None:
    tell(database, a_push("1.0"))
    events = taken(database)
    tell(database, a_push("1.0"))
    with database.write() as connection:
        note_done(connection, ids(events), "moved", T0)

    assert outcomes(database) == ["moved", "..."]
    assert len(taken(database)) == 1


def test_what_is_done_stays_as_it_was_done_first(database: Database) -> None:
    tell(database, a_push("1.0"))
    events = taken(database)
    with database.write() as connection:
        note_done(connection, ids(events), "moved", T0)
        note_done(connection, ids(events), "same", T0)
        put_off(connection, ids(events), T0, "rate_limited")

    assert outcomes(database) == ["moved"]


def test_what_is_put_off_says_why_and_is_due_later(database: Database) -> None:
    tell(database, a_push("1.0"))
    with database.write() as connection:
        put_off(connection, ids(taken(database)), T0 + 9 * SECOND, "rate_limited")

    assert taken(database, 8 * SECOND) == []
    (event,) = taken(database, 9 * SECOND)
    assert event.attempts == 1
    with database.read() as connection:
        why = connection.execute(text("SELECT outcome FROM pushes")).scalar_one()
        assert next_due(connection, APP) == T0 + 9 * SECOND
    assert why == "rate_limited"


def test_what_is_held_back_was_not_tried(database: Database) -> None:
    tell(database, a_push("1.0"))
    with database.write() as connection:
        hold_back(connection, ids(taken(database)), T0 + 9 * SECOND)

    (event,) = taken(database, 9 * SECOND)
    assert event.attempts == 0


def test_webhook_015_a_tag_that_was_looked_at_twice_comes_too_soon(
    database: Database,
) -> None:
    for number in range(2):
        tell(database, a_push("1.0"), a_push("1.0"), a_push("1.1"))
        at = T0 + number * SECOND
        for event in taken(database):
            if event.tag == "1.0" or number == 0:
                with database.write() as connection:
                    note_done(connection, [event.id], "same", at)

    with database.read() as connection:
        assert too_soon(connection, APP, T0 + 2 * SECOND) == {"1.0": T0 + BURST}
        assert too_soon(connection, APP, T0 + BURST) == {}


def test_who_waits_longest_comes_first(database: Database) -> None:
    for name in ("acme/b", "acme/a", "acme/b"):
        tell(database, a_push("1.0", repository=name))

    with database.read() as connection:
        found = pushed_to(connection, T0, 10)

    assert [to.repository for to in found] == ["acme/b", "acme/a"]


def test_what_waits_is_counted(database: Database) -> None:
    with database.read() as connection:
        assert inbox(connection) == InboxState(0, None)
    tell(database, a_push("1.0"), a_push("1.1"))
    with database.write() as connection:
        note_done(connection, ids(taken(database))[:1], "new", T0)

    with database.read() as connection:
        assert inbox(connection) == InboxState(1, T0)


def test_what_is_dropped_is_asked_for_no_more(database: Database) -> None:
    tell(database, a_push("1.0"), a_push("1.0", repository="acme/other"))
    with database.write() as connection:
        drop_waiting(connection, APP, "outside_filter", T0)

    assert sorted(outcomes(database)) == ["...", "outside_filter"]


@pytest.mark.parametrize(
    "name", ["registry", "repository"], ids=["its pushes", "how often it was looked at"]
)
def test_a_repositorys_pushes_are_found_by_an_index(
    database: Database, engine: Engine, name: str
) -> None:
    if engine == "postgresql":
        pytest.skip("a small table is read as a whole there")
    done = "IS NULL" if name == "registry" else "> 5"
    with database.read() as connection:
        plan = connection.execute(
            text(
                "EXPLAIN QUERY PLAN SELECT id FROM pushes"  # noqa: S608 - no input
                f" WHERE registry = 'a' AND repository = 'b' AND done_at {done}"
            )
        ).all()

    index = "ix_pushes_waiting" if name == "registry" else "ix_pushes_done"
    assert index in str(plan)


def test_what_is_held_back_is_not_read_at_each_look(
    database: Database, engine: Engine
) -> None:
    if engine == "postgresql":
        pytest.skip("a small table is read as a whole there")
    with database.read() as connection:
        plan = connection.execute(
            text(
                "EXPLAIN QUERY PLAN SELECT id FROM pushes WHERE registry = 'a'"
                " AND repository = 'b' AND done_at IS NULL AND due_at <= 5"
                " ORDER BY id LIMIT 10"
            )
        ).all()

    assert "repository=? AND due_at<?" in str(plan)


def test_the_live_tags_of_a_digest_are_found(world: World) -> None:
    one = an_image(layers=some_layers(100))
    two = an_image(layers=some_layers(200))
    world.crawl({"1.0": one, "1.1": one, "2.0": two})
    world.crawl({"2.0": two}, deleted=["1.1"])

    with world.database.read() as connection:
        found = tags_at(connection, world.repository_id, one.digest, 10)

    assert found == ["1.0"]


def test_a_repository_that_somebody_else_has_found_is_not_taken_for_new(
    world: World,
) -> None:
    def take_new() -> object:
        with world.database.write() as connection:
            return claim_new(
                connection,
                world.registry_id,
                "acme/new",
                now=T0,
                lease_s=0,
                owner=one_claim("me"),
            )

    assert take_new() is not None
    assert take_new() is None


def test_the_end_of_a_look_counts_what_was_asked(world: World) -> None:
    with world.database.write() as connection:
        claimed = world.claimed(connection)
        end_check(
            connection,
            claimed,
            T0,
            requests=2,
            bytes_read=300,
            is_there=True,
            is_due=False,
        )

    with world.database.read() as connection:
        known = find_known(connection, PushedTo("hub", "acme/app"), T0)
        row = connection.execute(
            text("SELECT requests, bytes_read, lease_until FROM repositories")
        ).one()
    assert known is not None
    assert (known.parked_until, tuple(row)) == (None, (2, 300, None))


def test_a_look_that_ends_well_leaves_what_was_put_off_due_as_before(
    world: World,
) -> None:
    for _ in range(2):
        with world.database.write() as connection:
            world.claimed(connection)
    with world.database.write() as connection:
        third = world.claimed(connection)
        parked = find_known(connection, APP, world.now)
        end_check(
            connection,
            third,
            world.now,
            requests=1,
            bytes_read=1,
            is_there=True,
            is_due=False,
        )
        known = find_known(connection, APP, world.now)

    assert parked is not None
    assert parked.parked_until is not None
    assert known is not None
    assert known.parked_until is None


def test_a_repository_whose_crawls_end_their_process_is_left_alone(
    world: World,
) -> None:
    for _ in range(3):
        with world.database.write() as connection:
            world.claimed(connection)

    with world.database.read() as connection:
        known = find_known(connection, APP, world.now)
    assert known is not None
    assert known.parked_until is not None


def test_nothing_is_said_of_tags_that_keep_their_limits(world: World) -> None:
    with world.database.read() as connection:
        assert worst_of(connection, world.repository_id, ["1.0"]) == {}
