"""What a config says takes the place of nothing, wherever its image is live."""

import pytest
from msgspec.structs import replace

from support.images import an_image
from support.store_world import World
from weighbridge.domain.image.document import Image, Problem
from weighbridge.domain.image.platform import UNKNOWN
from weighbridge.store.facts.blobs import find_blobs
from weighbridge.store.facts.images import images_without_config, keep_configs
from weighbridge.store.facts.stored_images import load_images
from weighbridge.store.read_model.summaries import stale_repositories


def without_config(image: Image, code: str) -> Image:
    """As it is kept while its config cannot be had."""
    problem = Problem(code, "not today")
    return replace(
        image,
        platform=UNKNOWN,
        created_at=None,
        lines=(),
        history_alignment="unresolved",
        problems=(problem,),
    )


def kept(world: World, image: Image) -> Image:
    with world.database.read() as connection:
        identity = find_blobs(connection, [image.digest])[image.digest].id
        return load_images(connection, [identity])[identity].image


def lacking(world: World) -> list[Image]:
    with world.database.read() as connection:
        return images_without_config(connection, world.repository_id, 10)


@pytest.mark.parametrize(
    "code", ["config_missing", "config_size_mismatch", "digest_mismatch"]
)
def test_f07_an_image_becomes_what_its_config_says(world: World, code: str) -> None:
    image = replace(an_image(), diff_ids=())
    world.crawl({"1": without_config(image, code)})
    assert [found.digest for found in lacking(world)] == [image.digest]

    with world.database.write() as connection:
        keep_configs(connection, [image])

    assert kept(world, image) == image
    assert lacking(world) == []


@pytest.mark.parametrize("code", ["config_too_large", "invalid_config"])
def test_a_config_that_will_be_the_same_is_not_asked_for(
    world: World, code: str
) -> None:
    world.crawl({"1": without_config(an_image(), code)})

    assert lacking(world) == []


def test_an_image_that_no_tag_leads_to_is_not_asked_for(world: World) -> None:
    world.crawl({"1": without_config(an_image(), "config_missing")})
    world.crawl(deleted=["1"])

    assert lacking(world) == []


def test_repositories_that_have_the_image_are_summed_up_anew(world: World) -> None:
    image = an_image()
    world.crawl({"1": without_config(image, "config_missing")})

    with world.database.write() as connection:
        keep_configs(connection, [image])

    with world.database.read() as connection:
        stale = stale_repositories(connection, world.registry_id)
    assert stale == [world.repository_id]


def test_a_config_of_an_image_that_was_forgotten_meanwhile_is_left(
    world: World,
) -> None:
    with world.database.write() as connection:
        keep_configs(connection, [an_image()])

        assert find_blobs(connection, [an_image().digest]) == {}
