"""F03: a registry that sends us away is not asked for one tag after the other."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from support.crawling import Yard, a_yard
from support.fake_registry import FakeRegistry
from support.images import a_served_image, some_layers
from weighbridge.domain.limits import RETRY_AFTER_MAX_S
from weighbridge.engine.crawl.repository.ask_tags import REFUSED_IN_A_ROW
from weighbridge.errors import RateLimited
from weighbridge.store.models import repositories

TAGS = 40


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with a_yard(tmp_path) as made:
        yield made


def filled(refusal: RateLimited, operation: str, *, since: int) -> FakeRegistry:
    """From this tag on, the operation is refused."""
    registry = FakeRegistry(has_quota=True)
    for n in range(TAGS):
        image = a_served_image(some_layers(1000, name=str(n)))
        digest = registry.put("shop/api", f"t{n:02}", image)
        if n >= since:
            registry.breaks[operation, f"t{n:02}"] = refusal
            registry.breaks[operation, digest] = refusal
    return registry


@pytest.mark.parametrize("operation", ["head_manifest", "get_manifest"])
async def test_f03_a_long_wait_is_no_fault_of_any_tag(
    yard: Yard, operation: str
) -> None:
    wait_s = 3 * RETRY_AFTER_MAX_S + yard.entry.interval_s
    registry = filled(RateLimited("429", retry_after=wait_s), operation, since=3)
    began = yard.now

    done = await yard.crawl(registry)

    assert [(f.tag, f.code) for f in done.faults] == [(None, "rate_limited")]
    assert sorted(yard.tags("shop/api")) == ["t00", "t01", "t02"]
    assert sum(registry.asked[operation, f"t{n:02}"] for n in range(4, TAGS)) == 0
    assert yard.repository("shop/api").state == "partial"
    with yard.database.read() as connection:
        due_at = connection.execute(select(repositories.c.due_at)).scalar_one()
    assert due_at == began + timedelta(seconds=wait_s)


async def test_f03_who_is_sent_away_by_the_last_answers_has_not_seen_all(
    yard: Yard,
) -> None:
    """All tags are asked at once; the listing had ended before."""
    refusal = RateLimited("429", retry_after=RETRY_AFTER_MAX_S)
    registry = filled(refusal, "get_manifest", since=TAGS - 3)
    registry.has_quota = False

    done = await yard.crawl(registry)

    assert [(f.tag, f.code) for f in done.faults] == [(None, "rate_limited")]
    assert yard.repository("shop/api").state == "partial"
    assert yard.repository("shop/api").last_complete_crawl_at is None


async def test_f03_after_so_many_refusals_in_a_row_no_other_tag_is_asked_for(
    yard: Yard,
) -> None:
    """Docker Hub's limit on abuse: 429 with a web page, and no time to come back."""
    registry = filled(RateLimited("429"), "head_manifest", since=2)

    await yard.crawl(registry)

    assert registry.count("head_manifest") == 2 + REFUSED_IN_A_ROW
    assert yard.repository("shop/api").state == "partial"


async def test_f03_refusals_that_are_not_in_a_row_leave_the_others_their_turn(
    yard: Yard,
) -> None:
    registry = filled(RateLimited("429"), "head_manifest", since=0)
    for n in range(0, TAGS, REFUSED_IN_A_ROW):
        del registry.breaks["head_manifest", f"t{n:02}"]

    await yard.crawl(registry)

    assert registry.count("head_manifest") == TAGS
