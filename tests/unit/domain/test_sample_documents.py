"""Recorded documents of other projects are read as what they are."""

import pytest

from support.images import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from support.shared import shared_path
from weighbridge.domain.image.digest import digest_of
from weighbridge.domain.image.document import Artifact, Index, Manifest, Unweighable
from weighbridge.domain.image.image_config import build_image, parse_config
from weighbridge.domain.image.manifest import parse_manifest
from weighbridge.domain.image.platform import Platform
from weighbridge.errors import DocumentError

CONTENT_TYPES = ["application/json", "", "text/plain"]


def sample(name: str) -> bytes:
    return shared_path(f"samples/{name}").read_bytes()


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
@pytest.mark.parametrize(
    ("name", "media_type", "layers", "compressed_bytes"),
    [
        ("ci-ociv1.manifest", OCI_MANIFEST, 3, 122_487),
        ("ci-ociv1.encrypted.manifest", OCI_MANIFEST, 3, 122_487),
        ("ci-ociv1.nondistributable.gzip.manifest", OCI_MANIFEST, 1, 32_654),
        ("ci-ociv1.uncompressed.manifest", OCI_MANIFEST, 3, 122_487),
        ("ci-ociv1.zstd.manifest", OCI_MANIFEST, 3, 122_487),
        ("ci-ociv1nomime.manifest", OCI_MANIFEST, 3, 122_487),
        ("ci-v2s2.manifest", DOCKER_MANIFEST, 3, 122_487),
        ("ci-v2s2.nondistributable.gzip.manifest", DOCKER_MANIFEST, 1, 32_654),
        ("ci-v2s2.uncompressed.manifest", DOCKER_MANIFEST, 3, 122_487),
        ("ci-v2s2nomime.manifest", DOCKER_MANIFEST, 0, 0),
        ("docker_schema2", DOCKER_MANIFEST, 3, 122_487),
        ("docker_schema2_foreign_layer_synthetic", DOCKER_MANIFEST, 2, 1_718_334_216),
        ("oci_layer_estargz_synthetic", OCI_MANIFEST, 1, 527),
        ("oci_layer_zstd_chunked_synthetic", OCI_MANIFEST, 1, 695),
        ("oci_manifest_with_subject", OCI_MANIFEST, 3, 122_487),
    ],
)
def test_sample_manifests_are_images(
    content_type: str,
    name: str,
    media_type: str,
    layers: int,
    compressed_bytes: int,
) -> None:
    manifest = parse_manifest(sample(f"manifests/{name}.json"), content_type)

    assert isinstance(manifest, Manifest)
    assert manifest.media_type == media_type
    assert len(manifest.layers) == layers
    assert sum(layer.compressed_bytes for layer in manifest.layers) == compressed_bytes


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
@pytest.mark.parametrize(
    ("name", "media_type", "roles"),
    [
        ("buildkit_index_with_attestation", OCI_INDEX, ["image", "attestation"]),
        ("ci-oci1.index.zstd-selection", OCI_INDEX, ["image"] * 6),
        ("ci-ociv1.image.index", OCI_INDEX, ["image"] * 2),
        ("ci-ociv1nomime.image.index", OCI_INDEX, ["image"] * 2),
        ("ci-v2list.manifest", DOCKER_LIST, ["image"] * 5),
        ("docker_manifest_list", DOCKER_LIST, ["image"] * 2),
        ("oci_index", OCI_INDEX, ["image"] * 2),
        ("oci_index_nested", OCI_INDEX, ["image", "index"]),
    ],
)
def test_sample_indexes_name_their_children(
    content_type: str, name: str, media_type: str, roles: list[str]
) -> None:
    index = parse_manifest(sample(f"manifests/{name}.json"), content_type)

    assert isinstance(index, Index)
    assert index.media_type == media_type
    assert [child.role for child in index.children] == roles


@pytest.mark.parametrize(
    ("name", "artifact_type", "role"),
    [
        (
            "buildkit_attestation_manifest_legacy_synthetic",
            "application/vnd.in-toto+json",
            "attestation",
        ),
        (
            "buildkit_attestation_manifest_oci_artifact",
            "application/vnd.docker.attestation.manifest.v1+json",
            "attestation",
        ),
        ("oci_artifact_config", "application/vnd.example+type", "artifact"),
        ("oci_artifact_minimal", "application/vnd.example+type", "artifact"),
        ("oci_artifact_noconfig", "application/vnd.example+type", "artifact"),
    ],
)
def test_sample_artifacts_are_no_images(
    name: str, artifact_type: str, role: str
) -> None:
    artifact = parse_manifest(sample(f"manifests/{name}.json"), OCI_MANIFEST)

    assert isinstance(artifact, Artifact)
    assert (artifact.artifact_type, artifact.role) == (artifact_type, role)


@pytest.mark.parametrize("name", ["ci-v2s1", "ci-v2s1-unsigned"])
def test_samples_of_schema_1_are_recognised(name: str) -> None:
    found = parse_manifest(sample(f"manifests/{name}.manifest.json"), "")

    assert isinstance(found, Unweighable)
    assert found.reason == "schema1"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ci-non-json.manifest", "invalid_json"),
        ("ci-unknown-version.manifest", "invalid_manifest"),
        ("ci-ociv1.artifact", "invalid_digest"),
    ],
)
def test_samples_that_are_broken_are_refused(name: str, code: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_manifest(sample(f"manifests/{name}.json"), "")

    assert caught.value.code == code


def test_the_layers_of_an_estargz_sample_say_their_uncompressed_size() -> None:
    manifest = parse_manifest(sample("manifests/oci_layer_estargz_synthetic.json"), "")

    assert isinstance(manifest, Manifest)
    assert manifest.layers[0].annotated_uncompressed_bytes == 39_936


def test_the_sample_of_a_real_server_image_becomes_an_image() -> None:
    raw = sample("configs/ci-schema2-config.json")
    manifest = parse_manifest(sample("configs/ci-schema2-manifest.json"), "")
    assert isinstance(manifest, Manifest)

    image = build_image(manifest, parse_config(raw, manifest.config.digest))

    assert image.history_alignment == "exact"
    assert image.platform == Platform("linux", "amd64")
    assert len(image.lines) == 15
    assert [line.layer for line in image.lines if line.layer is not None] == [*range(5)]
    assert len(image.diff_ids) == 5
    assert image.problems == ()


@pytest.mark.parametrize(
    ("name", "history", "diff_ids"),
    [
        ("buildkit_python_synthetic", 10, 5),
        ("classic_builder_synthetic", 7, 3),
        ("mismatch_more_history_than_layers_synthetic", 3, 1),
        ("mismatch_no_history_synthetic", 0, 2),
        ("mismatch_squashed_synthetic", 3, 1),
    ],
)
def test_sample_configs_are_read(name: str, history: int, diff_ids: int) -> None:
    raw = sample(f"configs/{name}.json")

    config = parse_config(raw, digest_of(raw))

    assert (len(config.history), len(config.diff_ids)) == (history, diff_ids)
    assert config.platform.os == "linux"
