"""Which repositories are due, and who works on them."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection

from support.images import a_layer, an_image
from support.of_one import (
    DueRepository,
    close_crawl,
    due_repositories,
    open_crawl,
    repositories_of,
)
from support.store_world import MINUTE, T0, World, a_result, an_entry
from weighbridge.errors import StaleFence
from weighbridge.store.crawls.due import have_due, is_any_due, park_poison
from weighbridge.store.leases.claiming import (
    STARTS,
    Claim,
    claim,
    count_anew,
    current_claim,
    give_up,
    hold,
    hold_many,
    release,
)
from weighbridge.store.registries.registry_rows import put_registry
from weighbridge.store.registries.repository_rows import (
    put_repositories,
)
from weighbridge.store.reports.crawls import CrawlQuery, crawl_page, find_crawl

HOUR = timedelta(hours=1)


def taken(connection: Connection, world: World, *, lease_s: float = 60) -> Claim:
    found = claim(connection, world.repository_id, now=world.now, lease_s=lease_s)
    assert found is not None
    return found


def test_new_repositories_are_due_at_once(world: World) -> None:
    with world.database.write() as connection:
        ids = put_repositories(connection, world.registry_id, ["b/b", "a/a"], T0)
        due = due_repositories(connection, "hub", T0, 10)

    assert due == [
        DueRepository(world.repository_id, "acme/app"),
        DueRepository(ids["a/a"], "a/a"),
        DueRepository(ids["b/b"], "b/b"),
    ]


def test_repositories_that_are_there_keep_their_id_and_time(world: World) -> None:
    world.crawl()

    with world.database.write() as connection:
        ids = put_repositories(
            connection, world.registry_id, ["acme/app", "new"], world.now
        )
        due = due_repositories(connection, "hub", world.now, 10)

    assert ids["acme/app"] == world.repository_id
    assert [item.repository for item in due] == ["new"]


def test_repositories_belong_to_their_registry(world: World) -> None:
    with world.database.write() as connection:
        other = put_registry(connection, an_entry("other"), T0)
        ids = put_repositories(connection, other, ["acme/app"], T0)

        assert repositories_of(connection, other) == ids
        mine = repositories_of(connection, world.registry_id)

    assert mine == {"acme/app": world.repository_id}
    assert ids["acme/app"] != world.repository_id


def test_a_registry_has_something_due_from_its_first_repository_on(
    world: World,
) -> None:
    world.crawl()
    soon = world.now + MINUTE

    with world.database.write() as connection:
        put_repositories(connection, world.registry_id, ["soon"], soon)
        put_registry(connection, an_entry("other"), T0)

        assert not is_any_due(connection, "hub", world.now)
        assert is_any_due(connection, "hub", soon)
        assert not is_any_due(connection, "other", soon)


def test_a_claimed_repository_is_neither_due_nor_free(world: World) -> None:
    with world.database.write() as connection:
        taken(connection, world)

        assert due_repositories(connection, "hub", world.now, 10) == []
        again = claim(connection, world.repository_id, now=world.now, lease_s=60)

    assert again is None


def test_a_lease_that_ran_out_can_be_taken_over(world: World) -> None:
    with world.database.write() as connection:
        first = taken(connection, world, lease_s=60)
        world.now += MINUTE

        second = taken(connection, world)

    assert second.fence == first.fence + 1


def test_holding_a_claim_renews_its_lease(world: World) -> None:
    with world.database.write() as connection:
        mine = taken(connection, world, lease_s=60)
        world.now += MINUTE / 2
        hold(connection, mine, world.now)
        world.now += MINUTE / 2

        other = claim(connection, world.repository_id, now=world.now, lease_s=60)

    assert other is None


def lent(connection: Connection, world: World) -> Claim:
    found = current_claim(connection, world.repository_id, 60)
    assert found is not None
    return found


def test_who_works_under_the_claim_of_another_does_not_say_that_it_lives(
    world: World,
) -> None:
    with world.database.write() as connection:
        mine = taken(connection, world, lease_s=60)
        world.now += MINUTE / 2
        theirs = lent(connection, world)
        hold(connection, theirs, world.now)
        still = hold_many(connection, [(mine, T0), (theirs, world.now)])
        world.now += MINUTE / 2

        other = claim(connection, world.repository_id, now=world.now, lease_s=60)
        with pytest.raises(StaleFence):
            hold(connection, theirs, world.now)
        assert other is not None
        both = hold_many(connection, [(other, world.now), (theirs, world.now)])

    assert still == {(mine.repository_id, mine.fence)}
    assert both == {(other.repository_id, other.fence)}


def test_a_claim_tells_what_is_known(world: World) -> None:
    image = an_image([a_layer()])
    world.crawl({"1": image, "latest": image}, result=a_result(held=["x", "y"]))

    with world.database.write() as connection:
        mine = world.claimed(connection)

    assert (mine.repository, mine.crawl_number) == ("acme/app", 1)
    assert (mine.tags, mine.manifests) == (2, 1)
    assert mine.held == {"x", "y"}


def test_only_complete_crawls_count(world: World) -> None:
    world.crawl(result=a_result(complete=False, state="partial"))

    with world.database.write() as connection:
        mine = world.claimed(connection)

    assert (mine.crawl_number, mine.held) == (0, frozenset())


def test_a_closed_crawl_says_what_it_did(world: World) -> None:
    with world.database.write() as connection:
        mine = taken(connection, world)
        opened = open_crawl(connection, mine, world.now).id
        running = find_crawl(connection, opened)
        result = a_result(complete=False, state="partial", reason="timeout")
        ended = world.now + MINUTE
        close_crawl(connection, mine, opened, result, ended, ended + HOUR)
        closed = find_crawl(connection, opened)

    assert running is not None
    assert (running.state, running.ended_at) == ("running", None)
    assert closed is not None
    assert (closed.state, closed.reason) == ("partial", "timeout")
    assert (closed.started_at, closed.ended_at) == (world.now, ended)
    assert (closed.requests, closed.bytes_read) == (3, 1000)


def test_a_closed_crawl_gives_the_repository_back_until_it_is_due(world: World) -> None:
    world.crawl()

    with world.database.read() as connection:
        assert due_repositories(connection, "hub", world.now + MINUTE, 10) == []
        due = due_repositories(connection, "hub", world.now + HOUR, 10)

    assert [item.repository for item in due] == ["acme/app"]


def test_a_crawl_that_a_dead_process_left_open_is_closed_by_the_next(
    world: World,
) -> None:
    with world.database.write() as connection:
        left = open_crawl(connection, taken(connection, world), world.now).id

    world.crawl()

    with world.database.read() as connection:
        found = find_crawl(connection, left)
    assert found is not None
    assert (found.state, found.ended_at) == ("interrupted", world.now)


def test_a_state_that_goes_on_keeps_its_beginning(world: World) -> None:
    world.crawl(result=a_result(complete=False, state="error", reason="timeout"))
    since = world.now

    world.crawl(result=a_result(complete=False, state="error", reason="bad_tls"))

    report = world.report()
    assert (report.state, report.state_reason) == ("error", "bad_tls")
    assert report.state_since == since


def test_a_failed_crawl_keeps_when_the_last_complete_one_was(world: World) -> None:
    world.crawl()
    complete = world.now

    world.crawl(result=a_result(complete=False, state="unreachable", reason="timeout"))

    report = world.report()
    assert report.last_complete_crawl_at == complete
    assert (report.last_crawl_at, report.state_since) == (world.now, world.now)


def test_crawls_are_listed_newest_first_by_repository(world: World) -> None:
    world.crawl()
    with world.database.write() as connection:
        put_repositories(connection, world.registry_id, ["other"], world.now)
    other = World(world.database, repository="other", now=world.now)
    other.crawl()
    world.now = other.now
    world.crawl()

    with world.database.read() as connection:
        first = crawl_page(connection, CrawlQuery(limit=2))
        rest = crawl_page(connection, CrawlQuery(limit=2, cursor=first.next_cursor))
        chosen = crawl_page(
            connection, CrawlQuery(registry="hub", repository="acme/app")
        )
        none = crawl_page(connection, CrawlQuery(registry="nobody"))

    names = [item.repository for item in (*first.items, *rest.items)]
    assert names == ["acme/app", "other", "acme/app"]
    assert rest.next_cursor is None
    assert [item.repository for item in chosen.items] == ["acme/app"] * 2
    assert none.items == ()


def test_what_was_given_back_was_no_start(world: World) -> None:
    with world.database.write() as connection:
        for _ in range(5):
            release(connection, [taken(connection, world)])

        due = due_repositories(connection, "hub", world.now, 10)

    assert [item.repository for item in due] == ["acme/app"]


def test_broker_005_the_third_start_puts_the_next_one_off(world: World) -> None:
    now = world.now
    with world.database.write() as connection:
        for _ in range(3):
            begun = claim(
                connection, world.repository_id, now=now, lease_s=60, only_due=True
            )
            assert begun is not None
            now += MINUTE

        refused = claim(
            connection, world.repository_id, now=now, lease_s=60, only_due=True
        )
        later = claim(
            connection, world.repository_id, now=now + HOUR, lease_s=60, only_due=True
        )

    assert refused is None
    assert later is not None


def test_what_was_put_off_and_given_back_is_due_as_before(world: World) -> None:
    with world.database.write() as connection:
        for _ in range(STARTS - 1):
            taken(connection, world)
            world.now += 2 * MINUTE
        third = taken(connection, world)
        put_off = due_repositories(connection, "hub", world.now, 10)
        release(connection, [third])

        given_back = due_repositories(connection, "hub", world.now, 10)

    assert put_off == []
    assert [item.repository for item in given_back] == ["acme/app"]


def test_a_wish_for_what_was_put_off_is_kept_when_it_is_given_back(
    world: World,
) -> None:
    with world.database.write() as connection:
        for _ in range(STARTS):
            last = taken(connection, world)
            world.now += 2 * MINUTE
        have_due(connection, [world.repository_id], world.now)
        release(connection, [last])

        before = due_repositories(connection, "hub", world.now - MINUTE, 10)
        due = due_repositories(connection, "hub", world.now, 10)

    assert before == []
    assert [item.repository for item in due] == ["acme/app"]


def test_starts_that_each_stored_more_park_nothing(world: World) -> None:
    with world.database.write() as connection:
        for _ in range(3 * STARTS):
            count_anew(connection, [taken(connection, world)])
            world.now += 2 * MINUTE

        parked = park_poison(connection, world.now)
        due = due_repositories(connection, "hub", world.now, 10)

    assert parked == []
    assert [item.repository for item in due] == ["acme/app"]


def test_starts_in_vain_count_from_the_last_that_stored_something(
    world: World,
) -> None:
    with world.database.write() as connection:
        for _ in range(STARTS - 1):
            taken(connection, world)
            world.now += 2 * MINUTE
        count_anew(connection, [taken(connection, world)])
        world.now += 2 * MINUTE

        for _ in range(STARTS - 2):
            taken(connection, world)
            world.now += 2 * MINUTE
        soon = due_repositories(connection, "hub", world.now, 10)
        taken(connection, world)
        world.now += 2 * MINUTE
        parked = park_poison(connection, world.now)

        later = due_repositories(connection, "hub", world.now, 10)

    assert [item.repository for item in soon] == ["acme/app"]
    assert parked == ["acme/app"]
    assert later == []


def test_a_third_start_that_stores_something_ends_as_any_other(world: World) -> None:
    with world.database.write() as connection:
        for _ in range(STARTS - 1):
            taken(connection, world)
            world.now += 2 * MINUTE
        third = taken(connection, world)
        opened = open_crawl(connection, third, world.now).id
        count_anew(connection, [third])
        next_at = world.now + HOUR
        close_crawl(connection, third, opened, a_result(), world.now, next_at)

        soon = due_repositories(connection, "hub", next_at - MINUTE, 10)
        due = due_repositories(connection, "hub", next_at, 10)

    assert soon == []
    assert [item.repository for item in due] == ["acme/app"]


def test_a_wish_is_kept_that_came_while_starts_were_counted_anew(world: World) -> None:
    with world.database.write() as connection:
        for _ in range(STARTS):
            last = taken(connection, world)
            world.now += 2 * MINUTE
        opened = open_crawl(connection, last, world.now).id
        count_anew(connection, [last])
        have_due(connection, [world.repository_id], world.now)
        next_at = world.now + HOUR
        close_crawl(connection, last, opened, a_result(), world.now, next_at)

        due = due_repositories(connection, "hub", world.now, 10)

    assert [item.repository for item in due] == ["acme/app"]


def test_starts_of_a_claim_that_is_lost_are_left_alone(world: World) -> None:
    with world.database.write() as connection:
        taken(connection, world)
        world.now += 2 * MINUTE
        second = taken(connection, world)
        world.now += 2 * MINUTE
        taken(connection, world)
        count_anew(connection, [second])
        world.now += 2 * MINUTE

        parked = park_poison(connection, world.now)

    assert parked == ["acme/app"]


def test_what_failed_is_begun_again_after_a_while(world: World) -> None:
    with world.database.write() as connection:
        begun = taken(connection, world)
        give_up(connection, [begun], world.now + MINUTE)

        soon = due_repositories(connection, "hub", world.now, 10)
        later = due_repositories(connection, "hub", world.now + MINUTE, 10)

    assert soon == []
    assert [item.repository for item in later] == ["acme/app"]
