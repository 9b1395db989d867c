"""What is written twice, because the answer to the first commit was lost."""

import pytest
from sqlalchemy import func, select

from support.of_one import close_crawl, open_crawl
from support.store_world import MINUTE, World, a_result
from weighbridge.errors import StaleFence
from weighbridge.store.crawls.chunks import CrawlCounts, note_answered
from weighbridge.store.crawls.crawl_requests import CrawlRequest, put_request
from weighbridge.store.leases.claiming import Claim, claim, release
from weighbridge.store.leases.validity import has_ended, one_claim, this_process
from weighbridge.store.models import crawl_chunks
from weighbridge.store.reports.crawls import find_crawl

MINE = one_claim("boot:1.17.99")


def claimed(world: World, owner: str = MINE) -> Claim | None:
    with world.database.write() as connection:
        return claim(
            connection, world.repository_id, now=world.now, lease_s=60, owner=owner
        )


def mine(world: World) -> Claim:
    found = claimed(world)
    assert found is not None
    return found


def closed(world: World, held: Claim, crawl_id: int) -> None:
    with world.database.write() as connection:
        due_at = world.now + MINUTE
        close_crawl(connection, held, crawl_id, a_result(), world.now, due_at)


def opened(world: World, held: Claim) -> int:
    with world.database.write() as connection:
        return open_crawl(connection, held, world.now).id


def test_a_claim_that_is_made_again_is_granted_again(world: World) -> None:
    first = mine(world)

    again = mine(world)

    assert again.fence == first.fence + 1


def test_another_claim_of_the_same_process_is_refused(world: World) -> None:
    mine(world)

    assert claimed(world, one_claim("boot:1.17.99")) is None


def test_whose_claim_it_is_tells_whether_its_process_runs() -> None:
    where, pid, start = this_process().rsplit(".", 2)

    assert not has_ended(one_claim(this_process()))
    assert has_ended(one_claim(f"{where}.{pid}.{start}9"))


def test_a_crawl_that_is_closed_again_stays_as_it_was(world: World) -> None:
    held = mine(world)
    crawl_id = opened(world, held)
    closed(world, held, crawl_id)

    closed(world, held, crawl_id)

    with world.database.read() as connection:
        report = find_crawl(connection, crawl_id)
    assert report is not None
    assert report.state == "ok"
    assert mine(world).crawl_number == 1


def test_a_crawl_is_not_closed_for_a_claim_that_was_given_back(world: World) -> None:
    held = mine(world)
    crawl_id = opened(world, held)
    with world.database.write() as connection:
        release(connection, [held])

    with pytest.raises(StaleFence):
        closed(world, held, crawl_id)


def test_a_closed_crawl_of_an_older_claim_is_stale(world: World) -> None:
    held = mine(world)
    crawl_id = opened(world, held)
    closed(world, held, crawl_id)
    mine(world)

    with pytest.raises(StaleFence):
        closed(world, held, crawl_id)


def test_a_piece_of_the_cursor_is_kept_once(world: World) -> None:
    crawl_id = opened(world, mine(world))

    for _ in range(2):
        with world.database.write() as connection:
            note_answered(connection, crawl_id, 0, ["1", "2"], CrawlCounts(tags_seen=2))

    with world.database.read() as connection:
        kept = connection.execute(select(func.count()).select_from(crawl_chunks))
        assert kept.scalar_one() == 1


def asked(world: World, owner: str) -> CrawlRequest:
    with world.database.write() as connection:
        return put_request(
            connection,
            world.registry_id,
            None,
            measures=True,
            now=world.now,
            owner=owner,
            lease_s=60,
            resume_s=3600,
        )


def test_a_request_that_is_made_again_is_the_same_one(world: World) -> None:
    first, second = asked(world, "boot:1.17.99/a"), asked(world, "boot:1.17.99/a")

    assert first.id == second.id
    assert not second.is_resumed


def test_a_request_of_a_process_without_a_mark_is_left_alone_by_another(
    world: World,
) -> None:
    first = asked(world, "/a")

    second = asked(world, "boot:1.17.99/b")
    world.now += MINUTE
    after_its_lease = asked(world, "boot:1.17.99/c")

    assert second.id != first.id
    assert (after_its_lease.id, after_its_lease.is_resumed) == (first.id, True)
