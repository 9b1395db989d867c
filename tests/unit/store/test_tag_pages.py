"""The tags of a repository: natural order, headline numbers, aliases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.images import a_digest, a_layer, an_artifact_of, an_image, an_index_of
from support.store_world import World
from weighbridge.domain.image.document import Unweighable
from weighbridge.domain.image.platform import Platform
from weighbridge.store.reports.tags import aliases, tag_page
from weighbridge.store.tags.tag_rows import natural_key

ARM = Platform("linux", "arm64")


def names(world: World, limit: int) -> list[str]:
    found: list[str] = []
    cursor = None
    with world.database.read() as connection:
        while True:
            page = tag_page(connection, "hub", "acme/app", limit=limit, cursor=cursor)
            found += [tag.name for tag in page.items]
            cursor = page.next_cursor
            if cursor is None:
                return found


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_tags_come_in_natural_order(world: World, limit: int) -> None:
    ordered = ["1.2", "1.10", "1.10-alpine", "2", "010", "10", "latest", "v9", "v10"]
    world.crawl(dict.fromkeys(reversed(ordered), an_image()))

    assert names(world, limit) == ordered


@given(number=st.integers(0, 10**120), other=st.integers(0, 10**120))
def test_keys_of_numbers_are_ordered_as_the_numbers(number: int, other: int) -> None:
    assert (number < other) == (natural_key(f"v{number}") < natural_key(f"v{other}"))


def test_a_tag_shows_its_reference_platform(world: World) -> None:
    arm = an_image([a_layer("arm", 10)], platform=ARM)
    amd = an_image([a_layer("amd", 20), a_layer("more", 1)])
    index = an_index_of(arm, amd)
    world.keep(arm, amd)
    world.crawl({"latest": index})

    tag = world.tags()["latest"]
    with world.database.read() as connection:
        other = tag_page(connection, "hub", "acme/app", platforms=[ARM]).items[0]

    assert (tag.kind, tag.digest) == ("index", index.digest)
    assert (tag.platform, tag.platforms) == ("linux/amd64", 2)
    assert (tag.compressed_bytes, tag.layers) == (21, 2)
    assert tag.created_at == amd.created_at
    assert (other.platform, other.compressed_bytes) == ("linux/arm64", 10)


def test_manifest_046_what_is_no_image_has_a_kind_and_no_size(world: World) -> None:
    old = Unweighable(a_digest("old"), "application/x", 700, "schema1")
    world.crawl({"chart": an_artifact_of(a_layer("chart", 70)), "old": old})

    tags = world.tags()

    assert tags["chart"].kind == "artifact"
    assert tags["old"].kind == "unweighable"
    for tag in tags.values():
        assert (tag.platform, tag.platforms) == (None, 0)
        assert (tag.compressed_bytes, tag.layers) == (None, None)


def test_an_index_whose_children_are_missing_has_no_size(world: World) -> None:
    image = an_image()
    index = an_index_of(image)
    world.keep(index, missing={image.digest: "not_found"})
    world.crawl({"latest": index})

    tag = world.tags()["latest"]

    assert (tag.kind, tag.platforms, tag.compressed_bytes) == ("index", 0, None)


def test_an_unknown_repository_has_no_tags(world: World) -> None:
    world.crawl({"latest": an_image()})

    with world.database.read() as connection:
        assert tag_page(connection, "hub", "unknown").items == ()
        assert tag_page(connection, "unknown", "acme/app").items == ()
        assert aliases(connection, "hub", "unknown", an_image().digest) == []


def test_aliases_are_the_live_tags_of_one_digest(world: World) -> None:
    one, two = an_image([a_layer("1")]), an_image([a_layer("2")])
    world.crawl({"v10": one, "v9": one, "other": two, "gone": one})
    world.crawl(deleted=["gone"])

    with world.database.read() as connection:
        assert aliases(connection, "hub", "acme/app", one.digest) == ["v9", "v10"]
