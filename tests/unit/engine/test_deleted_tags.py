"""Tags that are missing: many at once, where not all are wanted; and where images are
listed, so that a tag may have moved from one to another meanwhile."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.crawling import Yard, a_yard
from support.fake_registry import FakeRegistry
from support.images import a_served_image, some_layers
from weighbridge.domain.registry.listing import MASS
from weighbridge.engine.context.parts import Scope
from weighbridge.engine.crawl.repository.repository_crawl import ASKED_FOR
from weighbridge.errors import TransportError

WANTED = 2 * MASS
RELEASES = Scope(wants_tag=lambda name: name.startswith("v"))


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with a_yard(tmp_path) as made:
        yield made


def live(yard: Yard, start: str) -> int:
    tags = yard.tags("shop/api").values()
    return sum(tag.name.startswith(start) and tag.deleted_at is None for tag in tags)


async def test_f11_tags_that_are_not_wanted_make_no_loss_smaller(yard: Yard) -> None:
    registry = FakeRegistry()
    image = a_served_image(some_layers(1000, 10))
    for number in range(WANTED):
        registry.put("shop/api", f"v{number}", image)
    for number in range(2 * WANTED):
        registry.put("shop/api", f"old{number}", image)
    await yard.crawl(registry)
    await yard.crawl(registry, RELEASES)
    for number in range(WANTED):
        del registry.tags_by_repository["shop/api"][f"v{number}"]

    await yard.crawl(registry, RELEASES)

    assert live(yard, "v") == WANTED
    report = yard.repository("shop/api")
    assert (report.state, report.state_reason) == ("partial", "removals_held")

    await yard.crawl(registry, RELEASES)

    assert (live(yard, "v"), live(yard, "old")) == (0, 2 * WANTED)


def listing_images(tags: int) -> FakeRegistry:
    """Several pages of images with their tags."""
    registry = FakeRegistry(tags_may_move=True)
    image = a_served_image(some_layers(1000, 10))
    for number in range(tags):
        registry.put("shop/api", f"v{number:03}", image)
    return registry


async def test_of_images_a_tag_on_no_page_is_deleted_only_if_it_is_unknown(
    yard: Yard,
) -> None:
    registry = listing_images(120)
    await yard.crawl(registry)
    registry.unlisted |= {"v001", "v002"}
    del registry.tags_by_repository["shop/api"]["v003"]
    registry.asked.clear()

    await yard.crawl(registry)

    gone = {name for name, tag in yard.tags("shop/api").items() if tag.deleted_at}
    assert gone == {"v003"}
    assert {registry.asked["head_manifest", f"v00{n}"] for n in (1, 2, 3)} == {1}
    assert yard.repository("shop/api").state == "ok"


async def test_of_images_what_cannot_be_asked_for_stays_until_it_can(
    yard: Yard,
) -> None:
    registry = listing_images(120)
    await yard.crawl(registry)
    for name in ("v001", "v003"):
        del registry.tags_by_repository["shop/api"][name]
    away = TransportError("no answer", code="timeout", retryable=True)
    registry.breaks["head_manifest", "v001"] = away
    registry.asked.clear()

    await yard.crawl(registry)

    assert live(yard, "v") == 120
    assert registry.asked["head_manifest", "v003"] == 0

    del registry.breaks["head_manifest", "v001"]
    await yard.crawl(registry)

    assert live(yard, "v") == 118


async def test_of_images_many_tags_wait_for_a_second_crawl_and_are_not_asked_for(
    yard: Yard,
) -> None:
    absent = ASKED_FOR + 1
    registry = listing_images(3 * absent)
    await yard.crawl(registry)
    for number in range(absent):
        del registry.tags_by_repository["shop/api"][f"v{number:03}"]
    registry.asked.clear()

    await yard.crawl(registry)

    assert live(yard, "v") == 3 * absent
    assert registry.asked["head_manifest", "v000"] == 0
    assert yard.repository("shop/api").state_reason == "removals_held"

    await yard.crawl(registry)

    assert live(yard, "v") == 2 * absent
