"""Each layer is asked for once, in whichever repositories and images it is."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.crawling import Yard, a_yard
from support.fake_registry import FakeRegistry
from support.images import (
    Served,
    a_config,
    a_layer,
    a_manifest,
    a_served_image,
    descriptor_json,
)
from weighbridge.domain.image.digest import Digest
from weighbridge.errors import TransportError
from weighbridge.ports.protocols import RangeAnswer

BASE = a_layer("base", 70_000)


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with a_yard(tmp_path) as made:
        yield made


def a_registry() -> FakeRegistry:
    """Two repositories whose images share their base."""
    registry = FakeRegistry()
    for name in ("shop/api", "shop/web"):
        registry.put(name, "1", a_served_image([BASE, a_layer(name, 80_000)]))
    return registry


async def test_a_shared_layer_is_measured_once_for_all(yard: Yard) -> None:
    registry = a_registry()

    await yard.crawl(registry, measure=True)
    await yard.crawl(registry, measure=True)

    assert registry.count("get_range") == 3
    for name in ("shop/api", "shop/web"):
        assert yard.tags(name)["1"].uncompressed_confidence == "unknown"


async def test_a_layer_that_cannot_be_had_now_is_asked_for_once_in_each_crawl(
    yard: Yard,
) -> None:
    registry = a_registry()
    error = TransportError("timeout", code="timeout", retryable=True)
    registry.breaks["get_range", BASE.digest] = error

    done = await yard.crawl(registry, measure=True)

    assert registry.count("get_range") == 3
    assert registry.asked["get_range", BASE.digest] == 1
    assert ("not_measured", "1 layer could not be measured now") in {
        (fault.code, fault.message) for fault in done.faults
    }
    assert yard.tags("shop/web")["1"].uncompressed_confidence is None

    del registry.breaks["get_range", BASE.digest]
    await yard.crawl(registry, measure=True)

    assert registry.asked["get_range", BASE.digest] == 2
    assert yard.tags("shop/web")["1"].uncompressed_confidence == "unknown"


async def test_a_config_that_was_read_to_see_what_it_is_is_not_asked_for_again(
    yard: Yard,
) -> None:
    """What cosign and BuildKit store has the type of an image's config."""
    registry = FakeRegistry()
    config = a_config(1, written={"os": "", "architecture": ""})
    statement = Served(b'{"critical":{}}', "application/vnd.in-toto+json")
    registry.blobs |= {config.digest: config.raw, statement.digest: statement.raw}
    written = {"layers": [descriptor_json(statement)]}
    signature = a_manifest([], config, written=written)
    registry.put("shop/api", "1", signature)

    await yard.crawl(registry, measure=True)

    assert registry.asked["get_blob", config.digest] == 1
    assert registry.asked["blob_length", config.digest] == 0
    assert registry.asked["blob_length", statement.digest] == 1
    stored = len(signature.raw) + len(config.raw) + len(statement.raw)
    assert yard.repository("shop/api").deduplicated_bytes == stored


@dataclass
class Stuck(FakeRegistry):
    """Answers about all layers but one, until it is told to."""

    is_stuck: bool = True
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def get_range(
        self, repository: str, digest: Digest, first: int, last: int
    ) -> RangeAnswer:
        if self.is_stuck and digest == BASE.digest:
            self.was_asked.set()
            await asyncio.Future()
        return await FakeRegistry.get_range(self, repository, digest, first, last)


async def test_what_was_measured_is_kept_where_measuring_is_cut_off(
    yard: Yard,
) -> None:
    registry = Stuck()
    for name in ("shop/api", "shop/web"):
        registry.put(name, "1", a_served_image([BASE, a_layer(name, 80_000)]))
    crawl = asyncio.create_task(yard.crawl(registry, measure=True))
    await registry.was_asked.wait()
    await asyncio.sleep(0)  # The others are asked in the same moment.

    crawl.cancel()
    await asyncio.gather(crawl, return_exceptions=True)
    registry.is_stuck = False
    await yard.crawl(registry, measure=True)

    assert registry.count("get_range") == 3
