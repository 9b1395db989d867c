"""Tags that are missing at once, where not all of them are wanted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.crawling import Yard, a_yard
from support.fake_registry import FakeRegistry
from support.images import a_served_image, some_layers
from weighbridge.domain.registry.listing import MASS
from weighbridge.engine.context.parts import Scope

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
