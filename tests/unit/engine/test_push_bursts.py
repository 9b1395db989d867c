"""Pushes right behind one another, and what is left to be measured after a look."""

import gzip
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from support.crawling import Yard, a_yard
from support.fake_registry import FakeRegistry
from support.images import a_digest, a_layer, a_served_image, an_index
from support.push_world import Pusher, a_push
from weighbridge.domain.image.digest import digest_of
from weighbridge.domain.image.document import Layer
from weighbridge.engine.push.push_plan import EARLY_S
from weighbridge.store.pushes.inbox import CHECKS_IN_A_BURST

ONE, TWO, THREE = (
    a_served_image(layers=[a_layer(name, 100)]) for name in ("one", "two", "three")
)
APP = "acme/app"


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with a_yard(tmp_path) as opened:
        yield opened


@pytest.fixture
def registry() -> FakeRegistry:
    registry = FakeRegistry()
    registry.put(APP, "1.0", ONE)
    return registry


@pytest.fixture
def pusher(yard: Yard, registry: FakeRegistry) -> Pusher:
    return Pusher(yard, registry)


async def test_a_push_right_behind_another_is_looked_at_again(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)
    last = registry.put(APP, "1.0", THREE)
    first = registry.put(APP, "1.0", TWO)

    # The tag shows the first of them still, which is news as well.
    pusher.tell(a_push("1.0", digest=first), a_push("1.0", digest=last))
    await pusher.handle()
    assert sorted(pusher.outcomes) == ["...", "moved"]
    registry.put(APP, "1.0", THREE)
    await pusher.handle()

    assert pusher.outcomes == ["moved", "moved"]
    assert yard.tags(APP)["1.0"].digest == last


@pytest.mark.slow  # takes seconds
async def test_f35_events_that_never_come_true_are_not_looked_at_one_by_one(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)
    registry.asked.clear()

    for number in range(180):  # Nine seconds.
        pusher.tell(a_push("1.0", digest=a_digest(f"said {number}")))
        await pusher.handle()
        yard.now -= timedelta(seconds=0.95)
    asked = registry.asked["get_manifest", "1.0"]
    while "..." in pusher.outcomes:
        await pusher.handle()

    # Two looks, and what each of them asks again as the registry may be behind.
    assert 2 <= asked <= CHECKS_IN_A_BURST * (1 + len(EARLY_S))
    assert set(pusher.outcomes) == {"same"}


async def test_an_index_that_is_known_has_its_images_measured(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    content = gzip.compress(bytes(5_000))
    layer = Layer(a_layer().media_type, digest_of(content), len(content))
    registry.blobs[layer.digest] = content
    image = a_served_image([layer])
    registry.hold(image)
    index = registry.put(APP, "many", an_index([image.manifest]))
    await yard.crawl(registry)
    registry.tags_by_repository[APP]["1.0"] = index
    assert yard.tags(APP)["many"].uncompressed_bytes is None

    pusher.tell(a_push("1.0"))
    await pusher.handle()

    assert yard.tags(APP)["1.0"].uncompressed_bytes == 5_000
