"""What a clock that was ahead has written holds nothing up for years."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from support.of_one import due_repositories, open_crawl
from support.push_world import a_push, receive
from support.store_world import T0, World, a_result
from weighbridge.store.crawls.crawl_requests import (
    CrawlRequest,
    find_request,
    put_request,
)
from weighbridge.store.leases.claiming import claim
from weighbridge.store.leases.jobs import Job, claim_job, due_jobs, end_job, note_done
from weighbridge.store.leases.validity import have_due_what_is_ahead
from weighbridge.store.models import repositories
from weighbridge.store.pushes.inbox import (
    BURST,
    CHECKS_IN_A_BURST,
    PushedTo,
    hold_back,
    next_due,
    take,
    too_soon,
)
from weighbridge.store.pushes.inbox import note_done as note_push_done
from weighbridge.store.pushes.inbox import put_off as put_push_off

YEARS = timedelta(days=2000)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
APP = PushedTo("hub", "acme/app")
MEASURE = Job("measure", "hub")


def due(world: World, now: datetime) -> list[str]:
    """What a scheduler finds at that moment, by the database's clock."""
    have_due_what_is_ahead(world.database, now)
    with world.database.read() as connection:
        found = due_repositories(connection, world.registry, now, 10)
    return [item.repository for item in found]


@pytest.mark.parametrize("ahead", [timedelta(hours=3), timedelta(days=2), YEARS])
def test_h1_a_repository_whose_last_crawl_is_to_come_is_due(
    world: World, ahead: timedelta
) -> None:
    world.now = T0 + ahead
    world.crawl()

    assert due(world, T0) == ["acme/app"]


def test_h1_a_new_repository_that_is_due_in_years_is_due(world: World) -> None:
    with world.database.write() as connection:
        connection.execute(update(repositories).values(due_at=T0 + YEARS))

    assert due(world, T0) == ["acme/app"]


def test_what_is_put_off_for_a_day_by_a_right_clock_is_left_alone(
    world: World,
) -> None:
    world.crawl()
    with world.database.write() as connection:
        in_a_day = world.now + timedelta(hours=23)
        connection.execute(update(repositories).values(due_at=in_a_day))

    assert due(world, world.now) == []
    assert due(world, world.now + timedelta(hours=24)) == ["acme/app"]


def test_what_was_just_crawled_is_not_due_by_a_clock_a_little_behind(
    world: World,
) -> None:
    world.crawl()

    assert due(world, world.now - timedelta(seconds=30)) == []


def test_h1_a_lease_that_ends_in_years_holds_nobody_up(world: World) -> None:
    with world.database.write() as connection:
        first = claim(
            connection, world.repository_id, now=T0 + YEARS, lease_s=60, owner="far/1"
        )
        second = claim(
            connection, world.repository_id, now=T0, lease_s=60, owner="near/1"
        )

    assert first is not None
    assert second is not None
    assert second.fence == first.fence + 1


def test_h1_a_request_of_the_future_is_neither_waited_for_nor_taken_up(
    world: World,
) -> None:
    def asked(now: datetime, owner: str) -> CrawlRequest:
        with world.database.write() as connection:
            return put_request(
                connection,
                world.registry_id,
                None,
                measures=True,
                now=now,
                owner=owner,
                lease_s=60,
                resume_s=3600,
            )

    far, near = asked(T0 + YEARS, "far/1"), asked(T0, "near/1")

    assert near.id != far.id
    assert (near.asked_at, near.is_resumed) == (T0, False)
    with world.database.read() as connection:
        interrupted = find_request(connection, far.id)
    assert interrupted is not None
    assert interrupted.state == "interrupted"


def test_h1_a_crawl_of_the_future_is_not_taken_up(world: World) -> None:
    with world.database.write() as connection:
        far = claim(connection, world.repository_id, now=T0 + YEARS, lease_s=60)
        assert far is not None
        first = open_crawl(connection, far, T0 + YEARS, resume_s=3600)
        near = claim(connection, world.repository_id, now=T0, lease_s=60)
        assert near is not None
        second = open_crawl(connection, near, T0, resume_s=3600)

    assert second.id != first.id


def test_h1_a_success_of_the_future_does_not_look_fresh_for_years(
    world: World,
) -> None:
    world.now = T0 + YEARS
    world.crawl()
    world.now = T0
    world.crawl(result=a_result(state="unreachable", complete=False))

    with world.database.read() as connection:
        last = connection.execute(
            select(repositories.c.last_complete_crawl_at)
        ).scalar_one()
    assert last == world.now


@pytest.mark.parametrize("is_ended", [True, False])
def test_h1_a_shared_job_that_was_done_in_the_future_is_due(
    world: World, is_ended: bool
) -> None:
    far = T0 + YEARS
    with world.database.write() as connection:
        held = claim_job(
            connection, MEASURE, now=far, next_at=far + HOUR, lease_s=30, owner="a/1"
        )
        assert held is not None
        if is_ended:
            end_job(connection, held, far)

    have_due_what_is_ahead(world.database, T0)
    with world.database.write() as connection:
        assert due_jobs(connection, [MEASURE], T0) == [MEASURE]
        again = claim_job(
            connection, MEASURE, now=T0, next_at=T0 + HOUR, lease_s=30, owner="b/1"
        )
        assert again is not None
        end_job(connection, again, T0)
    have_due_what_is_ahead(world.database, T0)
    with world.database.read() as connection:
        assert due_jobs(connection, [MEASURE], T0) == []


def test_what_is_written_stays_as_it_is_where_nothing_is_ahead(world: World) -> None:
    world.crawl()
    with world.database.write() as connection:
        note_done(connection, MEASURE, world.now)
    before = due(world, world.now + 2 * HOUR)

    with world.database.read() as connection:
        at = connection.execute(select(repositories.c.due_at)).scalar_one()
    assert before == ["acme/app"]
    assert at < world.now + 2 * HOUR


def test_h1_a_push_that_was_received_in_the_future_is_looked_at_now(
    world: World,
) -> None:
    receive(world.database, T0 + HOUR, a_push("1.0"), registry="hub")
    with world.database.write() as connection:
        (waits,) = take(connection, APP, T0 + 2 * HOUR)
        hold_back(connection, [waits.id], T0 + HOUR)

    have_due_what_is_ahead(world.database, T0)

    with world.database.read() as connection:
        assert len(take(connection, APP, T0)) == 1


def test_h1_a_push_that_was_put_off_for_years_is_looked_at_now(world: World) -> None:
    receive(world.database, T0, a_push("1.0"), registry="hub")
    with world.database.write() as connection:
        (waits,) = take(connection, APP, T0 + SECOND)
        put_push_off(connection, [waits.id], T0 + YEARS, "deadline")

    have_due_what_is_ahead(world.database, T0)

    with world.database.read() as connection:
        assert next_due(connection, APP) == T0


def test_h1_looks_of_the_future_hold_no_push_back(world: World) -> None:
    for n in range(CHECKS_IN_A_BURST):
        receive(world.database, T0, a_push("1.0"), registry="hub")
        with world.database.write() as connection:
            found = take(connection, APP, T0 + SECOND)
            at = T0 + HOUR + n * SECOND
            note_push_done(connection, [each.id for each in found], "moved", at)

    with world.database.read() as connection:
        assert too_soon(connection, APP, T0) == {}
        assert too_soon(connection, APP, T0 + HOUR + 2 * SECOND) == {
            "1.0": T0 + HOUR + BURST
        }
