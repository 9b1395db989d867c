"""A registry whose HEAD is not true is found out, and costs no request more."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from support.crawling import Yard
from support.database import Engine, a_database
from support.fake_registry import FakeRegistry
from support.images import a_layer, a_served_image
from support.push_world import Pusher, a_push
from support.store_world import T0
from weighbridge.engine.tags.tag_request import DISTRUST, PERIOD, last_turn

# No statement of its own: tests of the store run on both.
pytestmark = [pytest.mark.slow, pytest.mark.long_on("postgresql")]

APP = "acme/app"
OLD = a_served_image([a_layer("old", 100)])
NEW = a_served_image([a_layer("new", 2_000)])
TAGS = [f"v{n}" for n in range(60)]
HOUR = timedelta(hours=1)


@pytest.fixture
def yard(tmp_path: Path, engine: Engine) -> Iterator[Yard]:
    with a_database(tmp_path, engine) as database:
        yield Yard(database)


def a_registry(tags: list[str]) -> FakeRegistry:
    registry = FakeRegistry()
    for n, tag in enumerate(tags):
        registry.put(APP, tag, a_served_image([a_layer(f"layer {n}", 100 + n)]))
    return registry


def a_lying_registry() -> FakeRegistry:
    """The tag has moved, and HEAD still names what it had."""
    registry = FakeRegistry()
    registry.put(APP, "1", OLD)
    return registry


def lies(registry: FakeRegistry) -> None:
    registry.put(APP, "1", NEW)
    registry.claims["1"] = OLD.manifest.digest


async def crawl_for_seven_days(yard: Yard, registry: FakeRegistry) -> list[int]:
    """A crawl every six hours; how many manifests each has asked by GET."""
    asked, began = [], yard.now - HOUR
    for number in range(1, 29):
        yard.now = began + number * 6 * HOUR
        before = registry.count("get_manifest")
        await yard.crawl(registry)
        asked.append(registry.count("get_manifest") - before)
    return asked


@pytest.mark.parametrize("hours", [1, 5, 24, 167])
def test_a_tag_has_one_turn_in_seven_days(hours: int) -> None:
    now = T0
    turns = set()
    while now < T0 + 10 * PERIOD:
        turns.add(last_turn(APP, "1", now))
        now += timedelta(hours=hours)

    ordered = sorted(turns)
    assert len(ordered) in (10, 11)
    steps = {b - a for a, b in pairwise(ordered)}
    assert all(abs(step - PERIOD) < timedelta(seconds=1) for step in steps)


async def test_g2_each_tag_is_asked_by_get_once_in_seven_days_spread_over_crawls(
    yard: Yard,
) -> None:
    registry = a_registry(TAGS)
    await yard.crawl(registry)
    registry.asked.clear()
    before = registry.cost.requests

    asked = await crawl_for_seven_days(yard, registry)

    assert {tag: registry.asked["get_manifest", tag] for tag in TAGS} == dict.fromkeys(
        TAGS, 1
    )
    assert max(asked) <= 10
    # Catalog, listing, and one question a tag: a GET is in the place of a HEAD.
    assert registry.cost.requests - before == 28 * (1 + 2 + len(TAGS))


async def test_g2_an_unchanged_repository_writes_no_row_for_a_tag(yard: Yard) -> None:
    registry = a_registry(TAGS)
    await yard.crawl(registry)
    await yard.crawl(registry)
    yard.now += timedelta(days=1)  # the first crawl of a day notes what is stored
    with yard.counted_rows() as without:
        await yard.crawl(registry)
    registry.asked.clear()
    yard.now += PERIOD

    with yard.counted_rows() as with_checks:
        await yard.crawl(registry)

    assert registry.count("get_manifest") == len(TAGS)
    assert sum(with_checks) == sum(without)


async def test_g2_no_manifest_is_checked_where_each_counts(yard: Yard) -> None:
    registry = a_registry(TAGS)
    registry.has_quota = True
    await yard.crawl(registry)
    registry.asked.clear()
    yard.now += PERIOD

    await yard.crawl(registry)

    assert registry.count("get_manifest") == 0


async def test_g2_a_head_that_lies_is_found_out_and_the_true_target_stored(
    yard: Yard,
) -> None:
    registry = a_lying_registry()
    await yard.crawl(registry)
    lies(registry)
    await yard.crawl(registry)
    believed = yard.tags(APP)["1"].digest
    yard.now += PERIOD

    done = await yard.crawl(registry)

    assert believed == OLD.manifest.digest
    assert yard.tags(APP)["1"].digest == NEW.manifest.digest
    assert [fault.code for fault in done.faults] == ["false_head"]
    assert registry.false_heads == 1
    report = yard.repository(APP)
    assert (report.state, report.state_reason) == ("partial", "false_head")
    assert report.newest_compressed_bytes == 2_000


async def test_g2_a_head_that_was_found_false_is_not_believed_again(yard: Yard) -> None:
    registry = a_lying_registry()
    await yard.crawl(registry)
    lies(registry)
    yard.now += PERIOD
    await yard.crawl(registry)

    targets = set()
    for _ in range(40):
        await yard.crawl(registry)
        yard.now += 23 * HOUR
        targets.add(yard.tags(APP)["1"].digest)

    assert targets == {NEW.manifest.digest}
    assert registry.false_heads > 3


async def test_g2_a_head_that_is_true_again_is_believed_after_two_weeks(
    yard: Yard,
) -> None:
    registry = a_lying_registry()
    await yard.crawl(registry)
    lies(registry)
    yard.now += PERIOD
    await yard.crawl(registry)
    registry.claims.clear()
    yard.now += DISTRUST
    await yard.crawl(registry)
    registry.asked.clear()

    await yard.crawl(registry)

    assert registry.asked["head_manifest", "1"] == 1
    assert yard.repository(APP).state == "ok"


async def test_g2_a_push_is_not_looked_up_by_a_head_that_was_found_false(
    yard: Yard,
) -> None:
    registry = a_lying_registry()
    await yard.crawl(registry)
    lies(registry)
    yard.now += PERIOD
    await yard.crawl(registry)
    pusher = Pusher(yard, registry)

    pusher.tell(a_push("1", digest=NEW.manifest.digest))
    await pusher.handle()

    assert yard.tags(APP)["1"].digest == NEW.manifest.digest


async def test_g2_a_tag_that_moves_is_no_lie(yard: Yard) -> None:
    registry = a_lying_registry()
    await yard.crawl(registry)
    registry.put(APP, "1", NEW)
    yard.now += PERIOD

    done = await yard.crawl(registry)

    assert (done.faults, registry.false_heads) == ((), 0)
    assert yard.tags(APP)["1"].digest == NEW.manifest.digest
