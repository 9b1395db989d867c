"""Pages that Docker Hub's API has served, or as it documents them."""

import json

import pytest

from support.shared import shared_path
from weighbridge.domain.size.listed_size import is_explained
from weighbridge.registry.kinds.dockerhub.hub_listings import (
    parse_hub_repositories,
    parse_hub_tags,
)


@pytest.mark.parametrize(
    ("sample", "digests"),
    [
        (
            "tags_page_real",
            {
                "latest": "46a577b81ad2ad37b99d7a809ccd21c135cbca3c6ab3b49cfcf705c5"
                "4312de78"
            },
        ),
        (
            "tags_page_multiarch_synthetic",
            {
                "3.12": "4e71ad36630536773d68f971f9565eb304af5cf25697345dd9b071a5"
                "fdc6ed53",
                "latest": "1a4def1ba475e6224cfd519d9fecc31fc940aa095307adca375d32a4"
                "489c0e2c",
            },
        ),
    ],
)
def test_recorded_pages_of_tags(sample: str, digests: dict[str, str]) -> None:
    raw = shared_path(f"samples/dockerhub/{sample}.json").read_bytes()

    page = parse_hub_tags(raw)

    assert {t.name: t.digest for t in page.tags} == {
        name: f"sha256:{digest}" for name, digest in digests.items()
    }
    assert all(t.pushed_at and t.sizes for t in page.tags)
    assert page.next is None


def test_a_recorded_page_of_repositories() -> None:
    raw = shared_path("samples/dockerhub/repositories_page.json").read_bytes()

    page = parse_hub_repositories(raw, "docker")

    assert page.names == ("docker/highland_builder", "docker/whalesay")
    assert page.total == 287
    assert page.next is not None


def test_a_recorded_size_is_the_sum_of_the_layers_without_the_config() -> None:
    samples = "samples/dockerhub"
    raw = shared_path(f"{samples}/tags_page_real.json").read_bytes()
    path = shared_path(f"{samples}/tag_images_with_layers_real.json")
    (image,) = json.loads(path.read_bytes())
    layers = [(y["digest"], y["size"]) for y in image["layers"] if "digest" in y]

    (tag,) = parse_hub_tags(raw).tags

    ((digest, size),) = tag.sizes
    assert digest == image["digest"]
    assert size == sum(length for _, length in layers)
    assert is_explained(size, layers, config_bytes=1_500)
