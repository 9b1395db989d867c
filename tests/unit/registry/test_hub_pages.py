"""Pages in the form in which Docker Hub's API serves them."""

import json
from typing import Final

import pytest

from support.data import documents
from weighbridge.domain.image.digest import digest_of
from weighbridge.domain.registry.listing import is_explained
from weighbridge.registry.kinds.dockerhub.hub_api import (
    parse_hub_repositories,
    parse_hub_tags,
)

PAGES: Final = documents("hub_pages")


def page_of(name: str) -> bytes:
    return json.dumps(PAGES[name]).encode()


@pytest.mark.parametrize(
    ("name", "digests"),
    [
        # A tag of one platform says no digest but its image's.
        ("tags of one platform", {"latest": digest_of(b"hub image")}),
        (
            "tags of several platforms",
            {
                "3.12": digest_of(b"hub index 3.12"),
                "latest": digest_of(b"hub index latest"),
            },
        ),
    ],
)
def test_pages_of_tags(name: str, digests: dict[str, str]) -> None:
    page = parse_hub_tags(page_of(name))

    assert {t.name: t.digest for t in page.tags} == digests
    assert all(t.pushed_at and t.sizes for t in page.tags)
    assert page.next is None


def test_a_page_of_repositories() -> None:
    page = parse_hub_repositories(page_of("repositories"), "shop")

    assert page.names == ("shop/cart", "shop/say")
    assert page.total == 287
    assert page.next is not None


def test_a_size_is_the_sum_of_the_layers_without_the_config() -> None:
    (image,) = PAGES["images of a tag"]
    layers = [(y["digest"], y["size"]) for y in image["layers"] if "digest" in y]

    (tag,) = parse_hub_tags(page_of("tags of one platform")).tags

    ((digest, size),) = tag.sizes
    assert digest == image["digest"]
    assert size == sum(length for _, length in layers)
    assert is_explained(size, layers, config_bytes=1_500)
