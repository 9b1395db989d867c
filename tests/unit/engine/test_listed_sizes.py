"""A listing that names sizes: compared, counted, never believed, and free of cost."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.crawling import ENTRY, Yard, a_yard
from support.fake_registry import FakeRegistry
from support.images import a_served_image, some_layers
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.registry.listing import TagPage, TagSeen
from weighbridge.store.reports.disputes import DisputeQuery, dispute_page


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with a_yard(tmp_path) as made:
        yield made


@dataclass
class SizingRegistry(FakeRegistry):
    """Its listing names sizes of images, by digest."""

    sizes: dict[Digest, int] = field(default_factory=dict)

    async def tags(self, repository: str) -> AsyncIterator[TagPage]:
        self._ask("tags", f"{repository}#0")
        yield TagPage(
            tuple(
                TagSeen(name, digest, sizes=((digest, self.sizes[digest]),))
                for name, digest in self.tags_by_repository[repository].items()
            )
        )


def a_registry(listed_bytes: int) -> SizingRegistry:
    """One image of 1,050 bytes, which the listing gives another size."""
    registry = SizingRegistry()
    image = a_served_image(some_layers(1_000, 50))
    digest = registry.put("shop/api", "latest", image)
    registry.sizes[digest] = listed_bytes
    return registry


def conflicts(yard: Yard) -> float:
    counter = yard.telemetry.size_conflicts.labels(ENTRY.name, "bulk")
    (sample,) = [s for m in counter.collect() for s in m.samples if "total" in s.name]
    return sample.value


def disputed(yard: Yard) -> list[tuple[str, int, int]]:
    with yard.database.read() as connection:
        page = dispute_page(connection, DisputeQuery())
    return [(d.source, d.claimed_bytes, d.registry_bytes) for d in page.items]


async def test_a_false_size_of_a_listing_is_counted_once_and_never_believed(
    yard: Yard,
) -> None:
    registry = a_registry(25)
    await yard.crawl(registry, measure=True)
    await yard.crawl(registry, measure=True)

    assert disputed(yard) == [("bulk", 25, 1_050)]
    assert conflicts(yard) == 1
    assert yard.tags("shop/api")["latest"].compressed_bytes == 1_050
    assert yard.tags("shop/api")["latest"].compressed_confidence == "known"

    await yard.crawl(registry, measure=True)
    assert conflicts(yard) == 1


@pytest.mark.parametrize("listed_bytes", [25, 1_050])
async def test_comparing_sizes_costs_no_request_and_an_unchanged_crawl_no_row(
    yard: Yard, listed_bytes: int
) -> None:
    registry = a_registry(listed_bytes)
    for _ in range(2):
        await yard.crawl(registry, measure=True)
    registry.asked.clear()

    with yard.counted_rows() as written:
        await yard.crawl(registry, measure=True)

    assert registry.asked == {("repositories", "#0"): 1, ("tags", "shop/api#0"): 1}
    assert sum(written) == await _rows_without_sizes(yard, registry)


async def _rows_without_sizes(yard: Yard, registry: SizingRegistry) -> int:
    plain = FakeRegistry(
        tags_by_repository=registry.tags_by_repository,
        manifests=registry.manifests,
        blobs=registry.blobs,
        lengths=registry.lengths,
    )
    with yard.counted_rows() as written:
        await yard.crawl(plain, measure=True)
    return sum(written)


async def test_a_true_size_of_a_listing_says_nothing(yard: Yard) -> None:
    registry = a_registry(1_050)
    for _ in range(2):
        await yard.crawl(registry, measure=True)

    assert disputed(yard) == []
    assert conflicts(yard) == 0
