"""Configs that could not be had are asked for again, and their images become whole."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.crawling import Yard, a_yard
from support.fake_registry import FakeRegistry
from support.images import ServedImage, a_served_image, some_layers
from weighbridge.domain.image.document import Image
from weighbridge.domain.image.platform import Platform
from weighbridge.store.facts.blobs import find_blobs
from weighbridge.store.facts.stored_images import load_images

ARM = Platform("linux", "arm64")


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with a_yard(tmp_path) as made:
        yield made


def served(registry: FakeRegistry) -> ServedImage:
    image = a_served_image(some_layers(1000), platform=ARM)
    registry.put("shop/api", "1", image)
    return image


def kept(yard: Yard, image: ServedImage) -> Image:
    digest = image.manifest.digest
    with yard.database.read() as connection:
        identity = find_blobs(connection, [digest])[digest].id
        return load_images(connection, [identity])[identity].image


@pytest.mark.parametrize("trouble", ["missing", "altered", "of another length"])
async def test_f07_a_config_that_was_wrong_once_is_asked_for_by_the_next_crawl(
    yard: Yard, trouble: str
) -> None:
    registry, whole = FakeRegistry(), FakeRegistry()
    image = served(registry)
    served(whole)
    config = registry.blobs.pop(image.config.digest)
    if trouble != "missing":
        end = b"" if trouble == "of another length" else b"!"
        registry.blobs[image.config.digest] = config[:-1] + end
    await yard.crawl(registry)
    assert kept(yard, image).problems
    assert registry.count("get_blob") == 1

    registry.blobs[image.config.digest] = config
    await yard.crawl(registry)

    found = kept(yard, image)
    assert (found.platform, found.problems) == (ARM, ())
    assert found.history_alignment == "exact"
    assert yard.repository("shop/api").newest_platform == str(ARM)


async def test_f07_a_config_that_stays_away_costs_a_question_a_crawl(
    yard: Yard,
) -> None:
    registry = FakeRegistry()
    image = served(registry)
    del registry.blobs[image.config.digest]

    for _ in range(3):
        await yard.crawl(registry)

    assert registry.asked["get_blob", image.config.digest] == 3
    assert kept(yard, image).problems[0].code == "config_missing"


async def test_a_config_that_is_there_is_asked_for_once(yard: Yard) -> None:
    registry = FakeRegistry()
    image = served(registry)

    for _ in range(3):
        await yard.crawl(registry)

    assert registry.asked["get_blob", image.config.digest] == 1
