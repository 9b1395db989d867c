"""Documents in the forms that builders and specifications give them are read as what
they are."""

import gzip
import json
from typing import Final

import pytest

from support.data import documents
from support.images import (
    DOCKER_LAYER,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
)
from weighbridge.domain.image.digest import digest_of
from weighbridge.domain.image.document import Artifact, Index, Manifest, Unweighable
from weighbridge.domain.image.image_config import build_image, parse_config
from weighbridge.domain.image.manifest import parse_manifest
from weighbridge.domain.image.platform import Platform
from weighbridge.errors import DocumentError

CONTENT_TYPES = ["application/json", "", "text/plain"]
MANIFESTS: Final = documents("manifests")
CONFIGS: Final = documents("configs")


def manifest_of(name: str) -> bytes:
    return json.dumps(MANIFESTS[name], indent=3).encode()


def config_of(name: str) -> bytes:
    return json.dumps(CONFIGS[name]).encode()


def a_descriptor(media_type: str, content: bytes) -> dict[str, object]:
    digest = digest_of(content)
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
@pytest.mark.parametrize(
    ("name", "media_type", "layers", "compressed_bytes"),
    [
        ("oci", OCI_MANIFEST, 3, 122_487),
        ("oci encrypted", OCI_MANIFEST, 3, 122_487),
        ("oci nondistributable", OCI_MANIFEST, 1, 32_654),
        ("oci uncompressed", OCI_MANIFEST, 3, 122_487),
        ("oci zstd", OCI_MANIFEST, 3, 122_487),
        ("oci without its media type", OCI_MANIFEST, 3, 122_487),
        ("docker", DOCKER_MANIFEST, 3, 122_487),
        ("docker foreign and annotated", DOCKER_MANIFEST, 1, 32_654),
        ("docker uncompressed", DOCKER_MANIFEST, 3, 122_487),
        ("docker without its media type", DOCKER_MANIFEST, 0, 0),
        ("docker foreign base", DOCKER_MANIFEST, 2, 1_718_334_216),
        ("oci estargz", OCI_MANIFEST, 1, 527),
        ("oci zstd chunked", OCI_MANIFEST, 1, 695),
        ("oci with a subject", OCI_MANIFEST, 3, 122_487),
    ],
)
def test_sample_manifests_are_images(
    content_type: str,
    name: str,
    media_type: str,
    layers: int,
    compressed_bytes: int,
) -> None:
    manifest = parse_manifest(manifest_of(name), content_type)

    assert isinstance(manifest, Manifest)
    assert manifest.media_type == media_type
    assert len(manifest.layers) == layers
    assert sum(layer.compressed_bytes for layer in manifest.layers) == compressed_bytes


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
@pytest.mark.parametrize(
    ("name", "media_type", "roles"),
    [
        ("index with an attestation", OCI_INDEX, ["image", "attestation"]),
        ("index of both compressions", OCI_INDEX, ["image"] * 6),
        ("index with os features", OCI_INDEX, ["image"] * 2),
        ("index without its media type", OCI_INDEX, ["image"] * 2),
        ("list of schema 1", DOCKER_LIST, ["image"] * 5),
        ("list", DOCKER_LIST, ["image"] * 2),
        ("index", OCI_INDEX, ["image"] * 2),
        ("index in an index", OCI_INDEX, ["image", "index"]),
    ],
)
def test_sample_indexes_name_their_children(
    content_type: str, name: str, media_type: str, roles: list[str]
) -> None:
    index = parse_manifest(manifest_of(name), content_type)

    assert isinstance(index, Index)
    assert index.media_type == media_type
    assert [child.role for child in index.children] == roles


@pytest.mark.parametrize(
    ("name", "artifact_type", "role"),
    [
        (
            "attestation in its older form",
            "application/vnd.in-toto+json",
            "attestation",
        ),
        (
            "attestation",
            "application/vnd.docker.attestation.manifest.v1+json",
            "attestation",
        ),
        ("artifact with a config", "application/vnd.example+type", "artifact"),
        ("artifact of nothing", "application/vnd.example+type", "artifact"),
        ("artifact without a config", "application/vnd.example+type", "artifact"),
    ],
)
def test_sample_artifacts_are_no_images(
    name: str, artifact_type: str, role: str
) -> None:
    artifact = parse_manifest(manifest_of(name), OCI_MANIFEST)

    assert isinstance(artifact, Artifact)
    assert (artifact.artifact_type, artifact.role) == (artifact_type, role)


@pytest.mark.parametrize("name", ["schema 1", "schema 1 unsigned"])
def test_samples_of_schema_1_are_recognised(name: str) -> None:
    found = parse_manifest(manifest_of(name), "")

    assert isinstance(found, Unweighable)
    assert found.reason == "schema1"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        pytest.param(gzip.compress(manifest_of("docker")), "invalid_json", id="gzip"),
        pytest.param(
            manifest_of("unknown version"), "invalid_manifest", id="unknown version"
        ),
        pytest.param(manifest_of("empty digest"), "invalid_digest", id="empty digest"),
    ],
)
def test_samples_that_are_broken_are_refused(raw: bytes, code: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_manifest(raw, "")

    assert caught.value.code == code


def test_the_layers_of_an_estargz_sample_say_their_uncompressed_size() -> None:
    manifest = parse_manifest(manifest_of("oci estargz"), "")

    assert isinstance(manifest, Manifest)
    assert manifest.layers[0].annotated_uncompressed_bytes == 39_936


def test_an_image_of_a_web_server_becomes_an_image() -> None:
    """The config's media type is none: so some registries answer for it."""
    raw = config_of("server")
    named = a_descriptor("application/octet-stream", raw)
    layers = [a_descriptor(DOCKER_LAYER, bytes(n)) for n in range(5)]
    document = {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": named}
    found = json.dumps({**document, "layers": layers}).encode()
    manifest = parse_manifest(found, "")
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
        ("buildkit", 10, 5),
        ("classic builder", 7, 3),
        ("more lines than layers", 3, 1),
        ("no history", 0, 2),
        ("squashed", 3, 1),
    ],
)
def test_sample_configs_are_read(name: str, history: int, diff_ids: int) -> None:
    raw = config_of(name)

    config = parse_config(raw, digest_of(raw))

    assert (len(config.history), len(config.diff_ids)) == (history, diff_ids)
    assert config.platform.os == "linux"
