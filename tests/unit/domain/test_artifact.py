"""What is no image is never taken for one, and an image is never hidden by that."""

import pytest

from support.images import (
    IN_TOTO,
    OCI_CONFIG,
    OCI_EMPTY,
    Served,
    a_descriptor,
    a_layer,
    a_manifest,
    an_artifact,
    an_attestation,
    an_index,
    descriptor_json,
    layer_json,
    some_layers,
)
from weighbridge.domain.image.document import (
    Artifact,
    Index,
    Manifest,
    ParsedManifest,
)
from weighbridge.domain.image.manifest import parse_manifest

CACHE_CONFIG = "application/vnd.buildkit.cacheconfig.v0"


def parsed(served: Served, content_type: str | None = None) -> ParsedManifest:
    return parse_manifest(served.raw, content_type or served.media_type)


def manifest_of(served: Served, content_type: str | None = None) -> Manifest:
    found = parsed(served, content_type)
    assert isinstance(found, Manifest)
    return found


def index_of(served: Served, content_type: str | None = None) -> Index:
    found = parsed(served, content_type)
    assert isinstance(found, Index)
    return found


def artifact_of(served: Served) -> Artifact:
    found = parsed(served)
    assert isinstance(found, Artifact)
    return found


def test_manifest_047_an_empty_config_without_layers_is_an_artifact() -> None:
    artifact = artifact_of(an_artifact("application/example", blobs=[]))

    assert artifact.artifact_type == "application/example"
    assert artifact.role == "artifact"
    assert artifact.blobs == ()


def test_an_artifact_may_have_null_for_its_layers() -> None:
    config = Served(b"{}", "application/vnd.example.thing.v1+json")

    assert artifact_of(a_manifest([], config, written={"layers": None})).blobs == ()


@pytest.mark.parametrize(
    ("config_type", "layer_type", "artifact_type"),
    [
        pytest.param(
            "application/vnd.cncf.helm.config.v1+json",
            "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
            "application/vnd.cncf.helm.config.v1+json",
            id="helm",
        ),
        pytest.param(
            OCI_CONFIG,
            "application/vnd.dev.cosign.simplesigning.v1+json",
            "application/vnd.dev.cosign.simplesigning.v1+json",
            id="cosign signature",
        ),
        pytest.param(
            OCI_CONFIG,
            "application/vnd.dsse.envelope.v1+json",
            "application/vnd.dsse.envelope.v1+json",
            id="cosign attestation",
        ),
        pytest.param(OCI_CONFIG, "text/spdx+json", "text/spdx+json", id="cosign sbom"),
        pytest.param(
            CACHE_CONFIG,
            "application/vnd.oci.image.layer.v1.tar+gzip",
            CACHE_CONFIG,
            id="buildkit cache",
        ),
        pytest.param(
            OCI_EMPTY,
            "application/vnd.example.model.v1",
            "application/vnd.example.model.v1",
            id="empty config without artifactType",
        ),
        pytest.param(
            "application/vnd.docker.plugin.v1+json",
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "application/vnd.docker.plugin.v1+json",
            id="docker plugin",
        ),
    ],
)
def test_what_is_no_image_is_an_artifact_named_by_what_it_holds(
    config_type: str, layer_type: str, artifact_type: str
) -> None:
    served = a_manifest(
        [a_layer("blob", 500, layer_type)], Served(b'{"a":1}', config_type)
    )

    artifact = artifact_of(served)

    assert artifact.artifact_type == artifact_type
    assert artifact.role == "artifact"
    assert artifact.stored_bytes == len(served.raw) + 7 + 500


def test_an_image_with_one_odd_layer_is_an_image() -> None:
    layers = [*some_layers(100), a_layer("odd", 5, "application/vnd.example.wasm")]

    assert len(manifest_of(a_manifest(layers)).layers) == 2


@pytest.mark.parametrize(
    "served",
    [
        pytest.param(an_attestation(), id="older, with an image's config"),
        pytest.param(
            an_artifact(
                "application/vnd.docker.attestation.manifest.v1+json",
                [a_layer("sbom", 9, IN_TOTO)],
            ),
            id="newer, as an artifact",
        ),
    ],
)
def test_an_attestation_is_no_image(served: Served) -> None:
    assert artifact_of(served).role == "attestation"


def test_a_buildkit_cache_index_is_an_artifact_whose_entries_are_its_blobs() -> None:
    config = Served(b"{}", CACHE_CONFIG)
    layers = some_layers(10, 20)

    artifact = artifact_of(
        an_index([*map(layer_json, layers), descriptor_json(config)])
    )

    assert artifact.artifact_type == CACHE_CONFIG
    assert artifact.blobs == layers
    assert artifact.config == a_descriptor(config)


def test_an_image_cannot_hide_behind_an_entry_that_calls_its_index_a_cache() -> None:
    entries = [
        descriptor_json(a_manifest()),
        descriptor_json(Served(b"", CACHE_CONFIG)),
    ]

    index = index_of(an_index(entries))

    assert [child.role for child in index.children] == ["image", "artifact"]


def test_an_artifact_type_does_not_hide_an_image_that_would_run() -> None:
    served = a_manifest(some_layers(500), artifactType="application/vnd.example.notes")

    parsed = parse_manifest(served.raw, served.media_type)

    assert isinstance(parsed, Manifest)
