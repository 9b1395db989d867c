"""Indexes name their children, and say which of them are images."""

import pytest

from support.images import (
    DOCKER_LIST,
    UNKNOWN_PLATFORM,
    Served,
    a_config,
    a_manifest,
    an_attestation,
    an_attestation_entry,
    an_index,
    descriptor_json,
)
from weighbridge.domain import limits
from weighbridge.domain.image.document import (
    Index,
    ParsedManifest,
)
from weighbridge.domain.image.manifest import parse_manifest
from weighbridge.domain.image.platform import Platform

SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"


def parsed(served: Served, content_type: str | None = None) -> ParsedManifest:
    return parse_manifest(served.raw, content_type or served.media_type)


def index_of(served: Served, content_type: str | None = None) -> Index:
    found = parsed(served, content_type)
    assert isinstance(found, Index)
    return found


def test_an_index_keeps_its_children_in_order_with_their_platforms() -> None:
    amd64 = a_manifest()
    arm64 = a_manifest(config=a_config(platform=Platform("linux", "arm64")))

    index = index_of(an_index([arm64, amd64], annotations={"a": "b"}))

    assert [str(child.descriptor.platform) for child in index.children] == [
        "linux/arm64",
        "linux/amd64",
    ]
    assert {child.role for child in index.children} == {"image"}
    assert index.children[1].descriptor.digest == amd64.digest
    assert index.children[1].descriptor.content_bytes == len(amd64.raw)


def test_a_list_of_docker_is_an_index() -> None:
    assert index_of(an_index(media_type=DOCKER_LIST)).media_type == DOCKER_LIST


def test_an_index_without_children_is_an_index() -> None:
    assert index_of(an_index([])).children == ()


def test_an_index_may_name_indexes_and_things_that_nobody_knows() -> None:
    children = [
        an_index(),
        an_index([], media_type=DOCKER_LIST),
        Served(b"schema 1", SCHEMA1),
        Served(b"?", "application/vnd.example.later+json"),
    ]

    index = index_of(an_index(children))

    assert [child.role for child in index.children] == [
        "index",
        "index",
        "image",
        "artifact",
    ]


def test_index_004_one_digest_may_stand_for_many_platforms() -> None:
    child = descriptor_json(a_manifest())
    entries = [
        child | {"platform": {"os": "linux", "architecture": f"a{i}"}}
        for i in range(limits.INDEX_CHILDREN + 500)
    ]

    index = index_of(an_index(entries))

    assert len(index.children) == 1500
    assert len({entry.descriptor.digest for entry in index.children}) == 1


@pytest.mark.parametrize("platform", [None, {}, {"os": "linux", "architecture": "x"}])
def test_no_annotation_makes_an_attestation_of_what_a_runtime_could_pull(
    platform: object,
) -> None:
    image = a_manifest()
    entry = an_attestation_entry(an_attestation(), image.digest)

    index = index_of(an_index([image, entry | {"platform": platform}]))

    assert [child.role for child in index.children] == ["image", "image"]


def test_index_009_an_attestation_is_known_by_its_platform() -> None:
    entry = descriptor_json(an_attestation())

    (child,) = index_of(an_index([entry])).children

    assert child.descriptor.platform == UNKNOWN_PLATFORM
    assert child.role == "attestation"


@pytest.mark.parametrize(
    ("changes", "role"),
    [
        ({"annotations": {"vnd.docker.reference.type": "something"}}, "artifact"),
        ({"artifactType": "application/vnd.example"}, "artifact"),
        (
            {"artifactType": "application/vnd.docker.attestation.manifest.v1+json"},
            "attestation",
        ),
    ],
)
def test_other_references_and_artifacts_are_never_images(
    changes: dict[str, object], role: str
) -> None:
    nowhere = {"platform": {"os": "unknown", "architecture": "unknown"}}
    entry = descriptor_json(a_manifest()) | nowhere | changes

    (child,) = index_of(an_index([entry])).children

    assert child.role == role


@pytest.mark.parametrize(
    "changes",
    [
        {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}},
        {"artifactType": "application/vnd.example.notes"},
    ],
)
def test_no_label_hides_an_image_that_a_runtime_would_pull(
    changes: dict[str, object],
) -> None:
    (child,) = index_of(an_index([descriptor_json(a_manifest()) | changes])).children

    assert child.role == "image"


@pytest.mark.parametrize(
    "platform",
    [
        None,
        "linux/amd64",
        {},
        {"os": "linux"},
        {"os": 1, "architecture": "amd64"},
        {"os": "linux", "architecture": "a" * 65},
        {"os": "linux", "architecture": "<b>"},
    ],
)
def test_a_platform_that_says_nothing_usable_is_no_platform(platform: object) -> None:
    entry = descriptor_json(a_manifest()) | {"platform": platform}

    (child,) = index_of(an_index([entry])).children

    assert child.descriptor.platform is None
    assert child.role == "image"


def test_a_platform_is_normalised() -> None:
    entry = descriptor_json(a_manifest()) | {
        "platform": {
            "os": "linux",
            "architecture": "arm64",
            "variant": "v8",
            "os.features": ["x"],
        }
    }

    (child,) = index_of(an_index([entry])).children

    assert child.descriptor.platform == Platform("linux", "arm64")
