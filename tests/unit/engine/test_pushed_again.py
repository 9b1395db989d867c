"""A listing with digests and push times: what was pushed again is newer, not moved."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.crawling import Yard, a_yard
from support.fake_registry import FakeRegistry
from support.images import a_served_image, some_layers
from weighbridge.domain.growth.newest import NEVER
from weighbridge.domain.registry.listing import TagPage, TagSeen

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
LATER = FIRST + timedelta(days=9)
IN_2012 = datetime(2012, 12, 31, tzinfo=UTC)


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with a_yard(tmp_path) as made:
        yield made


@dataclass
class TellingRegistry(FakeRegistry):
    """Its listing tells digests, and when each tag was pushed: FIRST, or later."""

    pushed: dict[str, datetime] = field(default_factory=dict)

    async def tags(self, repository: str) -> AsyncIterator[TagPage]:
        self._ask("tags", f"{repository}#0")
        yield TagPage(
            tuple(
                TagSeen(name, digest, pushed_at=self.pushed.get(name, FIRST))
                for name, digest in self.tags_by_repository[repository].items()
            )
        )


def filled(tags: int) -> TellingRegistry:
    registry = TellingRegistry()
    for n in range(tags):
        image = a_served_image(some_layers(1000, name=str(n)))
        registry.put("shop/api", f"t{n}", image)
    return registry


async def test_a_tag_that_was_pushed_again_has_the_later_time(yard: Yard) -> None:
    registry = filled(3)
    await yard.crawl(registry)
    before = yard.tags("shop/api")["t1"]
    registry.asked.clear()

    registry.pushed["t1"] = LATER
    await yard.crawl(registry)

    after = yard.tags("shop/api")["t1"]
    assert (before.pushed_at, after.pushed_at) == (FIRST, LATER)
    assert (after.digest, after.moved_at) == (before.digest, before.moved_at)
    assert registry.count("head_manifest") == registry.count("get_manifest") == 0
    assert yard.crawls("shop/api")[0].tags_moved == 0


async def test_the_newest_image_is_the_one_that_was_pushed_last(yard: Yard) -> None:
    registry = filled(3)
    registry.pushed["t2"] = FIRST + timedelta(days=1)
    await yard.crawl(registry)
    assert yard.repository("shop/api").newest_tag == "t2"

    registry.pushed["t0"] = LATER
    await yard.crawl(registry)

    assert yard.repository("shop/api").newest_tag == "t0"


async def test_push_times_that_stay_cost_no_rows(yard: Yard) -> None:
    counts = []
    for tags in (2, 60):
        registry = filled(tags)
        await yard.crawl(registry)
        with yard.counted_rows() as written:
            await yard.crawl(registry)
        counts.append(sum(written))

    assert counts[1] == counts[0]


@pytest.mark.parametrize("told", [datetime.max.replace(tzinfo=UTC), NEVER, IN_2012])
async def test_a_time_that_cannot_be_true_makes_no_tag_the_newest(
    yard: Yard, told: datetime
) -> None:
    registry = filled(2)
    registry.pushed["t0"] = told
    await yard.crawl(registry)
    registry.asked.clear()
    await yard.crawl(registry)

    assert yard.tags("shop/api")["t0"].pushed_at is None
    assert yard.repository("shop/api").newest_tag == "t1"
    assert registry.count("get_manifest") == 0


async def test_a_push_after_one_of_the_year_9999_is_the_newest(yard: Yard) -> None:
    registry = filled(2)
    registry.pushed["t0"] = datetime.max.replace(tzinfo=UTC)
    await yard.crawl(registry)

    registry.pushed["t0"] = LATER
    await yard.crawl(registry)

    assert yard.tags("shop/api")["t0"].pushed_at == LATER
    assert yard.repository("shop/api").newest_tag == "t0"
