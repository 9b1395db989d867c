"""Pages that Docker Hub's API has served, or as it documents them."""

import pytest

from support.shared import shared_path
from weighbridge.registry.hub_listings import parse_hub_repositories, parse_hub_tags


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
    assert all(t.pushed_at and t.compressed_bytes for t in page.tags)
    assert page.next is None


def test_a_recorded_page_of_repositories() -> None:
    raw = shared_path("samples/dockerhub/repositories_page.json").read_bytes()

    page = parse_hub_repositories(raw, "docker")

    assert page.names == ("docker/highland_builder", "docker/whalesay")
    assert page.total == 287
    assert page.next is not None
