"""A crawl was faster than the event of a push: that is told all the same."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Row, select

from support.crawling import Yard, a_yard
from support.fake_registry import FakeRegistry
from support.images import a_digest, a_layer, a_served_image
from support.policies import a_policy
from support.push_world import Pusher, a_push
from support.telling import Told
from weighbridge.domain.policy.policy import PolicySet
from weighbridge.engine.judge.judged_batch import Judging
from weighbridge.store.models import violations

APP = "acme/app"
PAUSE = timedelta(seconds=5)
LIMIT = PolicySet([a_policy("services", max_compressed=1_000)])
HEAVY = a_served_image([a_layer("heavy", 2_000)])
LIGHT = a_served_image([a_layer("light", 10)])


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def yard(tmp_path: Path, told: Told) -> Iterator[Yard]:
    with a_yard(tmp_path) as opened:
        opened.judging = Judging(LIMIT, tell=told)
        yield opened


def found(yard: Yard) -> list[Row[*tuple[object, ...]]]:
    with yard.database.read() as connection:
        return list(connection.execute(select(violations).order_by(violations.c.id)))


@pytest.mark.parametrize("says_digest", [True, False])
async def test_what_the_first_crawl_read_just_before_its_event_is_told(
    yard: Yard, told: Told, says_digest: bool
) -> None:
    registry = FakeRegistry()
    digest = registry.put(APP, "1", HEAVY)
    registry.put(APP, "latest", LIGHT)
    await yard.crawl(registry)
    before = list(told.events)
    pusher = Pusher(yard, registry)
    for _ in range(2):
        pusher.tell(a_push("1", digest=digest if says_digest else None))
        await pusher.handle()

    assert (before, told.events) == ([], ["opened"])
    assert [(row.tag, row.is_silent) for row in found(yard)] == [("1", False)]
    assert [one.verdict for one in pusher.judged] == ["warn", "warn"]


async def test_what_a_crawl_by_hand_read_just_before_its_event_is_told(
    yard: Yard, told: Told
) -> None:
    registry = FakeRegistry()
    registry.put(APP, "1", LIGHT)
    await yard.crawl(registry)
    digest = registry.put(APP, "2", HEAVY)
    yard.judging = Judging(LIMIT, tell=told, is_silent=True)
    await yard.crawl(registry)
    before = list(told.events)
    yard.judging = Judging(LIMIT, tell=told)
    pusher = Pusher(yard, registry)
    pusher.tell(a_push("2", digest=digest))
    await pusher.handle()

    assert (before, told.events) == ([], ["opened"])


async def test_h10_an_event_whose_senders_clock_was_put_back_is_not_missed(
    yard: Yard, told: Told
) -> None:
    """A distribution sends its event before the tag has what it tells of."""
    registry = FakeRegistry()
    light = registry.put(APP, "1", LIGHT)
    await yard.crawl(registry)
    pusher = Pusher(yard, registry)
    pusher.tell(a_push("1", digest=light, pushed_at=yard.now))
    await pusher.handle()
    yard.now += PAUSE
    heavy = HEAVY.manifest.digest
    an_hour_ago = yard.now - timedelta(hours=1)
    pusher.tell(a_push("1", digest=heavy, pushed_at=an_hour_ago))

    await pusher.handle()
    registry.put(APP, "1", HEAVY)
    yard.now += PAUSE
    await pusher.handle()

    assert told.events == ["opened"]


async def test_a_late_event_of_what_was_read_before_is_asked_about_once(
    yard: Yard,
) -> None:
    registry = FakeRegistry()
    light = registry.put(APP, "1", LIGHT)
    await yard.crawl(registry)
    pusher = Pusher(yard, registry)
    heavy = registry.put(APP, "1", HEAVY)
    pusher.tell(a_push("1", digest=heavy, pushed_at=yard.now))
    await pusher.handle()
    yard.now += PAUSE
    pusher.tell(a_push("1", digest=light, pushed_at=yard.now - timedelta(hours=1)))
    before = registry.cost.requests

    for _ in range(4):
        await pusher.handle()
        yard.now += PAUSE

    assert registry.cost.requests - before == 1


async def test_a_late_event_of_what_is_no_more_tells_nothing(
    yard: Yard, told: Told
) -> None:
    registry = FakeRegistry()
    registry.put(APP, "1", HEAVY)
    registry.put(APP, "latest", LIGHT)
    await yard.crawl(registry)
    pusher = Pusher(yard, registry)
    pusher.tell(a_push("1", digest=a_digest("what it was before")))
    for _ in range(5):
        await pusher.handle()
        yard.now += PAUSE

    assert (told.events, found(yard)) == ([], [])
