"""A crawl that was cut off goes on where it stood, and ends as a clean one does."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from support.crawling import ENTRY, Yard, a_yard
from support.database_dump import assert_same, dump_of
from support.fake_registry import FakeRegistry
from support.images import a_served_image, some_layers
from support.wait import wait_until
from weighbridge.engine.context.crawl_context import LIMIT
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl
from weighbridge.store.crawls.crawl_requests import open_requests, put_request
from weighbridge.store.leases.claiming import claim
from weighbridge.store.leases.validity import this_process
from weighbridge.store.registries.registry_rows import put_registry
from weighbridge.store.registries.repository_rows import put_repositories

pytestmark = pytest.mark.slow

TAGS = 240


class CutOff(BaseException):
    """Nothing is learned any more."""


@dataclass(slots=True)
class BreakableRegistry(FakeRegistry):
    """Ends the crawl at the question of this number, as Ctrl-C does; asked: all
    questions so far."""

    cut_at: int | None = None
    crawling: "asyncio.Task[RegistryCrawl] | None" = None

    def _ask(self, operation: str, reference: str) -> None:
        FakeRegistry._ask(self, operation, reference)
        if self.cut_at is not None and self.asked.total() >= self.cut_at:
            assert self.crawling is not None
            self.crawling.cancel()
            raise CutOff


def filled(*repositories: str, tags: int = TAGS) -> BreakableRegistry:
    registry = BreakableRegistry(page_length=100)
    for repository in repositories or ("shop/api",):
        for n in range(tags):
            layers = some_layers(1000, 10 + n, name=f"{repository}-{n}")
            registry.put(repository, f"t{n:04}", a_served_image(layers))
    return registry


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    folder = tmp_path / "cut"
    folder.mkdir()
    with a_yard(folder) as made:
        yield made


@pytest.fixture
def clean(tmp_path: Path) -> Iterator[Yard]:
    folder = tmp_path / "clean"
    folder.mkdir()
    with a_yard(folder) as made:
        yield made


async def cut_off(yard: Yard, registry: BreakableRegistry, at: int) -> None:
    """A crawl that ends at a question, a minute before the next one begins. Its process
    has ended then."""
    registry.cut_at = at
    crawl = yard.crawl_now(registry, owner=a_dead_process())
    registry.crawling = asyncio.create_task(crawl)
    with pytest.raises(asyncio.CancelledError):
        await registry.crawling
    registry.cut_at = None
    yard.now += timedelta(minutes=-59)


@pytest.mark.parametrize("at", [3, 120, 250, 330, 2 * TAGS])
async def test_f12_a_crawl_that_was_cut_off_repeats_at_most_one_batch(
    yard: Yard, clean: Yard, at: int
) -> None:
    registry, whole = filled(), filled()
    await clean.crawl_now(whole)
    await cut_off(yard, registry, at)

    done = await yard.crawl_now(registry)

    assert_same(dump_of(clean.database), dump_of(yard.database))
    assert (done.state, done.tags, done.images) == ("ok", TAGS, TAGS)
    listed = registry.count("tags") + registry.count("repositories")
    repeated = registry.asked.total() - listed - 2 * TAGS
    assert repeated <= 2 * LIMIT


async def test_a_resumed_crawl_counts_what_came_before(yard: Yard) -> None:
    registry = filled()
    await cut_off(yard, registry, 350)

    await yard.crawl_now(registry)

    (only,) = yard.crawls("shop/api")
    assert (only.state, only.tags_new, only.tags_seen) == ("ok", TAGS, TAGS)
    assert only.requests > 2 * TAGS


async def test_a_crawl_that_was_cut_off_long_ago_is_begun_anew(yard: Yard) -> None:
    registry = filled()
    await cut_off(yard, registry, 450)
    stored = len(yard.tags("shop/api"))
    yard.now += timedelta(hours=7)
    registry.asked.clear()

    await yard.crawl_now(registry)

    latest, before = yard.crawls("shop/api")
    assert (latest.state, before.state) == ("ok", "interrupted")
    # What was answered before the cut is asked again, too.
    assert registry.count("head_manifest") == stored > 0


async def test_a_tag_that_vanished_while_nobody_looked_is_gone(yard: Yard) -> None:
    registry = filled()
    await cut_off(yard, registry, 450)
    del registry.tags_by_repository["shop/api"]["t0000"]

    await yard.crawl_now(registry)

    assert yard.tags("shop/api")["t0000"].deleted_at is not None
    assert yard.repository("shop/api").tags == TAGS - 1


async def test_repositories_that_were_looked_at_before_the_cut_are_not_asked_again(
    yard: Yard, clean: Yard
) -> None:
    names = [f"shop/r{n}" for n in range(12)]
    registry, whole = filled(*names, tags=20), filled(*names, tags=20)
    await clean.crawl_now(whole)
    await cut_off(yard, registry, 300)

    done = await yard.crawl_now(registry)

    assert_same(dump_of(clean.database), dump_of(yard.database))
    assert (done.repositories, done.tags) == (12, 240)
    assert done.taken_over > 0
    assert done.resumed_at is not None
    looked_at = [n for n in names if registry.asked["tags", f"{n}#0"] == 1]
    assert len(looked_at) >= done.taken_over


async def test_a_crawl_that_ended_is_not_taken_up(yard: Yard) -> None:
    registry = filled(tags=3)
    await yard.crawl_now(registry)
    yard.now += timedelta(minutes=-59)

    done = await yard.crawl_now(registry)

    assert (done.resumed_at, done.taken_over) == (None, 0)
    assert registry.count("head_manifest") == 3


async def test_a_look_at_one_repository_takes_no_crawl_up(yard: Yard) -> None:
    registry = filled("shop/a", "shop/b", tags=20)
    await cut_off(yard, registry, 60)

    done = await yard.crawl_now(registry, ["shop/a"])

    assert (done.resumed_at, done.taken_over) == (None, 0)
    assert done.repositories == 1


def left_behind(yard: Yard, owner: str) -> None:
    """The repository `shop/api` in the hands of a process, two seconds ago."""
    now = yard.now - timedelta(seconds=2)
    with yard.database.write() as connection:
        registry_id = put_registry(connection, ENTRY, now)
        ids = put_repositories(connection, registry_id, ["shop/api"], now)
        taken = claim(connection, ids["shop/api"], now=now, lease_s=60, owner=owner)
        assert taken is not None
        put_request(
            connection,
            registry_id,
            None,
            measures=False,
            now=now,
            owner=f"{owner}/0",
            lease_s=60,
            resume_s=3600,
        )


def a_dead_process() -> str:
    """The mark of a process that has the pid of none."""
    where, pid, start = this_process().rsplit(".", 2)
    return f"{where}.{2**22 + int(pid)}.{start}"


async def test_the_lease_of_a_dead_process_is_taken_over_at_once(yard: Yard) -> None:
    left_behind(yard, a_dead_process())

    done = await yard.crawl_now(filled(tags=3))

    assert (done.complete, done.faults) == (1, ())
    assert done.resumed_at is not None


async def test_a_process_that_has_the_pid_of_a_dead_one_is_another(yard: Yard) -> None:
    left_behind(yard, this_process() + "9")

    done = await yard.crawl_now(filled(tags=3))

    assert (done.complete, done.faults) == (1, ())


@pytest.mark.parametrize(
    "owner", ["", "another-boot:1.17.99", this_process()], ids=["none", "far", "ours"]
)
async def test_a_lease_of_which_nobody_knows_better_holds_until_it_ends(
    yard: Yard, owner: str
) -> None:
    left_behind(yard, owner)
    registry = filled(tags=3)

    crawling = asyncio.create_task(yard.crawl_now(registry, ["shop/api"]))
    await wait_until(lambda: has_asked(yard), "the request is stored")
    await asyncio.sleep(0.3)
    was_asked = registry.asked.total()
    yard.now += timedelta(minutes=1)
    done = await crawling

    assert was_asked == 0
    assert (done.complete, done.faults, done.resumed_at) == (1, (), None)


def has_asked(yard: Yard) -> bool:
    with yard.database.read() as connection:
        return len(open_requests(connection)) == 2
