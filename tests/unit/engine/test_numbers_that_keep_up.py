"""The read model keeps up with the tags, whatever stopped or came in between."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from support.crawling import ENTRY, Yard, a_yard
from support.fake_registry import FakeRegistry
from support.images import a_served_image, an_image, an_index, some_layers
from support.of_one import open_crawl
from weighbridge.domain.image.document import Image
from weighbridge.domain.image.platform import Platform
from weighbridge.errors import TransportError
from weighbridge.store.facts.images import keep_documents
from weighbridge.store.leases.claiming import claim
from weighbridge.store.registries.registry_rows import put_registry
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.tags.applying import Move, apply_moves

ARM = Platform("linux", "arm64")
RESET = TransportError("the connection was reset", code="connection_reset")


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with a_yard(tmp_path) as made:
        yield made


def killed_after_its_last_chunk(yard: Yard, tag: str, image: Image) -> None:
    """A crawl whose process ended between its last chunk and its end."""
    with yard.database.write() as connection:
        registry_id = put_registry(connection, ENTRY, yard.now)
        ids = put_repositories(connection, registry_id, ["shop/api"], yard.now)
        taken = claim(connection, ids["shop/api"], now=yard.now, lease_s=60)
        assert taken is not None
        open_crawl(connection, taken, yard.now)
        keep_documents(connection, [image], {})
        apply_moves(connection, taken, [Move(tag, image.digest, None)], yard.now)
    yard.now += timedelta(hours=1)


async def test_what_a_killed_crawl_kept_is_summed_up_by_the_next(yard: Yard) -> None:
    layers = some_layers(400, 30)
    killed_after_its_last_chunk(yard, "1", an_image(layers))
    registry = FakeRegistry()
    registry.put("shop/api", "1", a_served_image(layers))

    await yard.crawl(registry)

    report = yard.repository("shop/api")
    assert (report.newest_tag, report.newest_compressed_bytes) == ("1", 430)
    assert (report.tags, report.images, report.weighed_bytes) == (1, 1, 430)


async def test_what_a_killed_crawl_kept_is_summed_up_without_an_answer(
    yard: Yard,
) -> None:
    layers = some_layers(400, 30)
    killed_after_its_last_chunk(yard, "1", an_image(layers))
    registry = FakeRegistry()
    registry.put("shop/api", "1", a_served_image(layers))
    registry.breaks["tags", "shop/api#0"] = RESET

    await yard.crawl(registry)

    report = yard.repository("shop/api")
    assert (report.state, report.newest_compressed_bytes) == ("unreachable", 430)


async def test_a_child_that_comes_with_another_repository_counts_in_both(
    yard: Yard,
) -> None:
    registry = FakeRegistry()
    amd = a_served_image(some_layers(400))
    arm = a_served_image(some_layers(7, name="arm"), platform=ARM)
    registry.hold(arm)
    registry.put("shop/api", "1", an_index([amd.manifest, arm.manifest]))
    await yard.crawl(registry)
    assert yard.repository("shop/api").newest_compressed_bytes == 7
    registry.put("shop/web", "1", amd)

    await yard.crawl(registry)

    report = yard.repository("shop/api")
    assert (report.newest_platform, report.newest_compressed_bytes) == (
        "linux/amd64",
        400,
    )
    assert (report.images, report.weighed_bytes) == (2, 407)


async def test_an_image_of_layers_that_were_measured_before_has_its_total(
    yard: Yard,
) -> None:
    registry = FakeRegistry()
    registry.put("shop/api", "1", a_served_image(some_layers(70_000)))
    await yard.crawl(registry, measure=True)
    again = a_served_image(some_layers(70_000), created="2025-01-01T00:00:00Z")
    registry.put("shop/api", "2", again)

    await yard.crawl(registry, measure=True)

    # The fake serves no layers: that nothing can be known of them is final.
    assert yard.tags("shop/api")["2"].uncompressed_confidence == "unknown"
    report = yard.repository("shop/api")
    assert (report.newest_tag, report.newest_uncompressed_confidence) == (
        "2",
        "unknown",
    )


async def test_a_tag_that_answers_again_has_not_moved(yard: Yard) -> None:
    registry = FakeRegistry()
    registry.put("shop/api", "1", a_served_image())
    await yard.crawl(registry)
    registry.breaks["head_manifest", "1"] = RESET
    await yard.crawl(registry)
    registry.breaks.clear()

    await yard.crawl(registry)

    look = yard.crawls("shop/api")[0]
    assert (look.tags_new, look.tags_moved, look.tags_failed) == (0, 0, 0)


async def test_a_tag_with_another_digest_has_moved(yard: Yard) -> None:
    registry = FakeRegistry()
    registry.put("shop/api", "1", a_served_image(some_layers(5)))
    await yard.crawl(registry)
    registry.put("shop/api", "1", a_served_image(some_layers(6)))

    await yard.crawl(registry)

    look = yard.crawls("shop/api")[0]
    assert (look.tags_new, look.tags_moved) == (0, 1)
