"""What the rules of `reclaim` would free, as series: counted beside the scrapes."""

import threading
from datetime import timedelta

import pytest

from support.images import a_layer, an_image
from support.statements import counted as statements_made
from support.store_world import World, a_result
from weighbridge.domain.reclaim.keep_rules import KeepRules, ReclaimChoice
from weighbridge.domain.series_budget import (
    CORE_SERIES,
    EXPORTER_SERIES,
    REGISTRY_SERIES,
    Budget,
)
from weighbridge.web.metrics.reclaimable import AGAIN_S, Reclaimable, ReclaimableKeeper
from weighbridge.web.metrics.snapshot import SnapshotKeeper, take_snapshot

pytestmark = pytest.mark.slow

OLD = an_image([a_layer("old", 700)])
NEW = an_image([a_layer("new", 90), a_layer("more", 1)])
FREED = 700 + OLD.manifest.manifest_bytes + OLD.manifest.config.content_bytes
RULES = KeepRules(newest=1, days=90, patterns=())
SERIES = (
    'weighbridge_repository_reclaimable_bytes{registry="hub",repository="acme/app"}'
)


class Clock:
    """Seconds that a test lets go by."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def crawled(world: World) -> World:
    long_ago = world.now - timedelta(days=200)
    world.crawl({"1": OLD, "1.0": OLD}, pushed_at=long_ago)
    world.crawl({"2": NEW}, pushed_at=world.now)
    return world


def keeper_of(
    world: World, clock: Clock | None = None, choice: ReclaimChoice | None = None
) -> ReclaimableKeeper:
    return ReclaimableKeeper(
        world.database,
        choice or ReclaimChoice(RULES),
        now=lambda: world.now,
        clock=clock or Clock(),
    )


def counted(keeper: ReclaimableKeeper) -> Reclaimable:
    keeper.count(threading.Event())
    return keeper.current


def test_what_the_rules_do_not_keep_is_counted_of_each_repository_and_summed(
    crawled: World,
) -> None:
    beside = World(crawled.database, repository="acme/beside")
    beside.crawl({"1": an_image([a_layer("x", 5)] * 3)})

    found = counted(keeper_of(crawled))

    assert found.of_repositories == {
        ("hub", "acme/app"): FREED,
        ("hub", "acme/beside"): 0,
    }
    assert found.of_registries == {"hub": FREED}


def test_of_what_was_not_seen_whole_there_is_no_series(crawled: World) -> None:
    crawled.crawl(result=a_result(complete=False, state="partial", reason="timeout"))

    assert counted(keeper_of(crawled)).of_repositories == {}


def test_of_a_registry_whose_tags_are_partly_left_out_there_is_no_series(
    crawled: World,
) -> None:
    choice = ReclaimChoice(RULES, frozenset({"hub"}))

    assert counted(keeper_of(crawled, choice=choice)).of_registries == {}


def test_what_did_not_change_is_counted_again_after_six_hours_only(
    crawled: World,
) -> None:
    clock = Clock()
    keeper = keeper_of(crawled, clock)
    first = counted(keeper)

    clock.now += AGAIN_S - 1
    with statements_made() as soon:
        counted(keeper)
    clock.now += 2
    with statements_made() as late:
        again = counted(keeper)

    assert not any("FROM tags" in each for each in soon)
    assert any("FROM tags" in each for each in late)
    assert again.version == first.version == 1


def test_a_change_is_counted_and_a_repository_that_is_gone_is_not_there_any_more(
    crawled: World,
) -> None:
    keeper = keeper_of(crawled)
    assert counted(keeper).of_registries == {"hub": FREED}

    crawled.crawl(deleted=["1", "1.0"])

    found = counted(keeper)
    assert found.of_repositories == {("hub", "acme/app"): 0}
    assert found.version == 2


def test_the_snapshot_has_the_series_and_is_rendered_again_when_they_change(
    crawled: World,
) -> None:
    keeper = keeper_of(crawled)
    clock = Clock()
    snapshots = SnapshotKeeper(
        crawled.database,
        Budget(),
        reclaimable=lambda: keeper.current,
        clock=clock,
        wall=clock,
    )
    nothing = snapshots.current().text.plain.decode()
    counted(keeper)
    clock.now += 60

    text = snapshots.current().text.plain.decode()

    assert "reclaimable_bytes{" not in nothing
    assert f"{SERIES} {FREED}\n" in text
    assert f'weighbridge_registry_reclaimable_bytes{{registry="hub"}} {FREED}\n' in text


def test_the_series_are_the_first_to_go_where_not_all_fit(crawled: World) -> None:
    """There is room for the core series of the repository, and for no other; the sum of
    the registry has its place."""
    found = counted(keeper_of(crawled))
    room = EXPORTER_SERIES + REGISTRY_SERIES + CORE_SERIES

    with crawled.database.read() as connection:
        tight = take_snapshot(connection, Budget(room), 0.0, reclaimable=found)
        wide = take_snapshot(connection, Budget(room + 1), 0.0, reclaimable=found)

    assert (tight.choice.exposed, wide.choice.exposed) == (1, 1)
    assert SERIES.encode() not in tight.text.plain
    assert SERIES.encode() in wide.text.plain
    assert b"weighbridge_registry_reclaimable_bytes{" in tight.text.plain


def test_nothing_is_counted_before_anybody_scrapes(crawled: World) -> None:
    keeper = ReclaimableKeeper(
        crawled.database, ReclaimChoice(RULES), is_wanted=lambda: False
    )
    stop = threading.Event()
    thread = threading.Thread(target=keeper.watch, args=(stop,))

    thread.start()
    stop.set()
    thread.join(10)

    assert keeper.current.version == 0
