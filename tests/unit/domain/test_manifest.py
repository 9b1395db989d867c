"""Manifests become values that say what they are and what they weigh."""

import hashlib
import json

import pytest

from support.images import (
    DOCKER_CONFIG,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    FOREIGN_LAYER,
    OCI_INDEX,
    OCI_MANIFEST,
    TAR_LAYER,
    ZSTD_LAYER,
    Served,
    a_config,
    a_descriptor,
    a_digest,
    a_layer,
    a_manifest,
    an_index,
    descriptor_json,
    layer_json,
    some_layers,
)
from weighbridge.domain import limits
from weighbridge.domain.image.digest import Digest, digest_of
from weighbridge.domain.image.document import (
    Artifact,
    Index,
    Layer,
    Manifest,
    ParsedManifest,
    Unweighable,
)
from weighbridge.domain.image.manifest import ACCEPT, parse_manifest

SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"


def parsed(served: Served, content_type: str | None = None) -> ParsedManifest:
    return parse_manifest(served.raw, content_type or served.media_type)


def manifest_of(served: Served, content_type: str | None = None) -> Manifest:
    found = parsed(served, content_type)
    assert isinstance(found, Manifest)
    return found


def test_a_manifest_is_named_by_its_hash_and_lists_its_layers_base_first() -> None:
    config = a_config(2)
    served = a_manifest(some_layers(300, 20), config, annotations={"a": "b"})

    found = manifest_of(served)

    assert found == Manifest(
        digest=served.digest,
        media_type=OCI_MANIFEST,
        manifest_bytes=len(served.raw),
        config=a_descriptor(config),
        layers=some_layers(300, 20),
    )


def test_schema_2_of_docker_is_a_manifest_too() -> None:
    config = Served(a_config().raw, DOCKER_CONFIG)

    found = manifest_of(a_manifest(None, config, media_type=DOCKER_MANIFEST))

    assert found.media_type == DOCKER_MANIFEST
    assert found.layers == some_layers(1000)


def test_an_old_image_of_docker_may_have_an_octet_stream_as_its_config() -> None:
    config = Served(a_config().raw, "application/octet-stream")

    as_docker = parsed(a_manifest(None, config, media_type=DOCKER_MANIFEST))
    as_oci = parsed(a_manifest(None, config, media_type=OCI_MANIFEST))

    assert isinstance(as_docker, Manifest)
    assert isinstance(as_oci, Artifact)


def test_the_digest_asked_for_names_the_manifest() -> None:
    served = a_manifest()
    wanted = digest_of(served.raw, "sha512")

    found = parse_manifest(served.raw, served.media_type, wanted)

    assert found.digest == wanted


def test_manifest_005_parameters_and_case_of_the_content_type_do_not_matter() -> None:
    served = a_manifest()

    found = manifest_of(served, OCI_MANIFEST.title() + " ; charset=utf-8")

    assert found.media_type == OCI_MANIFEST


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json", "text/plain; charset=utf-8", "application/octet-stream"],
)
def test_manifest_006_a_generic_content_type_leaves_the_word_to_the_document(
    content_type: str,
) -> None:
    assert manifest_of(a_manifest(), content_type).media_type == OCI_MANIFEST
    assert parsed(an_index(), content_type).media_type == OCI_INDEX


def test_without_any_type_the_form_of_the_document_decides() -> None:
    docker = a_manifest(None, Served(a_config().raw, DOCKER_CONFIG), mediaType=None)
    oci = a_manifest(mediaType=None)
    index = an_index([], mediaType=None)
    old = json.dumps({"schemaVersion": 1, "fsLayers": [], "name": "a"}).encode()

    assert parsed(docker, "application/json").media_type == DOCKER_MANIFEST
    assert parsed(oci, "application/json").media_type == OCI_MANIFEST
    assert parsed(index, "application/json").media_type == OCI_INDEX
    assert isinstance(parse_manifest(old, "application/json"), Unweighable)


def test_without_a_type_of_its_own_a_manifest_takes_the_headers() -> None:
    served = a_manifest(mediaType=None)

    assert manifest_of(served, DOCKER_MANIFEST).media_type == DOCKER_MANIFEST


def test_manifest_030_the_digest_is_computed_where_none_was_asked_for() -> None:
    served = a_manifest()

    found = parsed(served)

    assert found.digest == f"sha256:{hashlib.sha256(served.raw).hexdigest()}"


def test_manifest_040_sha512_digests_are_taken_throughout() -> None:
    digest = Digest("sha512:" + "5e" * 64)

    found = manifest_of(a_manifest([Layer(TAR_LAYER, digest, 10)]))

    assert found.layers[0].digest == digest


def test_manifest_041_a_foreign_layer_is_flagged_and_its_urls_are_dropped() -> None:
    written = layer_json(a_layer("windows", 5000, FOREIGN_LAYER)) | {
        "urls": ["http://169.254.169.254/latest/user-data"]
    }

    found = manifest_of(a_manifest([], written={"layers": [written]}))

    assert found.layers == (a_layer("windows", 5000, FOREIGN_LAYER, is_foreign=True),)
    assert "169.254" not in repr(found)


def test_a_layer_that_may_not_be_distributed_is_foreign_without_urls() -> None:
    layer = a_layer("w", 1, "application/vnd.oci.image.layer.nondistributable.v1.tar")

    (found,) = manifest_of(a_manifest([layer])).layers

    assert found.is_foreign


def test_manifest_042_urls_make_an_ordinary_layer_foreign_and_are_dropped() -> None:
    written = layer_json(a_layer()) | {"urls": ["http://127.0.0.1:9/blob", 7, None]}

    found = manifest_of(a_manifest([], written={"layers": [written]}))

    assert found.layers[0].is_foreign
    assert "127.0.0.1" not in repr(found)


def test_manifest_043_a_layer_that_appears_twice_is_kept_twice() -> None:
    found = manifest_of(a_manifest([a_layer("empty", 32), a_layer("empty", 32)]))

    assert len(found.layers) == 2


def test_the_config_may_be_one_of_the_layers() -> None:
    config = a_config()
    layer = Layer(TAR_LAYER, config.digest, len(config.raw))

    assert manifest_of(a_manifest([layer], config)).layers == (layer,)


@pytest.mark.parametrize(
    "media_type",
    [
        TAR_LAYER,
        ZSTD_LAYER,
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
        "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
        "application/vnd.erofs.layer.v1",
    ],
)
def test_the_types_of_layers_are_kept_as_they_are(media_type: str) -> None:
    (layer,) = manifest_of(a_manifest([a_layer(media_type=media_type)])).layers

    assert layer.media_type == media_type


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({"io.containers.estargz.uncompressed-size": "39936"}, 39936),
        ({"ci.umo.uncompressed_blob_size": "1024"}, 1024),
        ({"ci.umo.uncompressed_blob_size": "0"}, 0),
        (
            {
                "io.containers.estargz.uncompressed-size": "many",
                "ci.umo.uncompressed_blob_size": "2048",
            },
            2048,
        ),
        ({"ci.umo.uncompressed_blob_size": "-5"}, None),
        ({"ci.umo.uncompressed_blob_size": "1e9"}, None),
        ({"ci.umo.uncompressed_blob_size": " 7"}, None),
        ({"ci.umo.uncompressed_blob_size": "1_000"}, None),
        ({"ci.umo.uncompressed_blob_size": "\u0663"}, None),
        ({"ci.umo.uncompressed_blob_size": ""}, None),
        ({"ci.umo.uncompressed_blob_size": "9" * 15}, None),
        ({"ci.umo.uncompressed_blob_size": "9" * 9000}, None),
        ({}, None),
        (None, None),
    ],
)
def test_an_annotated_size_is_read_only_if_it_is_a_plain_number(
    annotations: dict[str, str] | None, expected: int | None
) -> None:
    written = layer_json(a_layer()) | {"annotations": annotations}

    (layer,) = manifest_of(a_manifest([], written={"layers": [written]})).layers

    assert layer.annotated_uncompressed_bytes == expected


def test_of_annotations_only_those_are_kept_that_are_read() -> None:
    many = {f"key-{i}": "v" * 8000 for i in range(128)}
    read = {"vnd.docker.reference.type": "attestation-manifest"}
    entry = descriptor_json(a_manifest()) | {"annotations": many | read}

    index = parse_manifest(an_index([entry]).raw, OCI_INDEX)

    assert isinstance(index, Index)
    assert index.children[0].descriptor.annotations == read


def test_annotations_may_differ_by_case_alone() -> None:
    annotations = {"Size": "1", "size": "2", "Layers": "3", "layers": "4"}

    assert manifest_of(a_manifest(annotations=annotations))


def test_manifest_025_exactly_the_largest_manifest_is_accepted() -> None:
    size = limits.MANIFEST_BODY_BYTES
    short = len(a_manifest(annotations={"pad": ""}).raw)
    served = a_manifest(annotations={"pad": "x" * (size - short)})

    found = manifest_of(served)

    assert found.manifest_bytes == size


def test_manifest_046_schema_1_is_recognised_but_has_no_sizes() -> None:
    raw = json.dumps(
        {
            "schemaVersion": 1,
            "name": "old/shop",
            "fsLayers": [{"blobSum": a_digest("old")}],
            "history": [],
        }
    ).encode()

    for content_type in (SCHEMA1, SCHEMA1.replace("prettyjws", "json"), "text/plain"):
        found = parse_manifest(raw, content_type)

        assert isinstance(found, Unweighable)
        assert found.reason == "schema1"
        assert found.digest == digest_of(raw)
        assert found.manifest_bytes == len(raw)


def test_a_vendors_manifest_that_we_do_not_know_is_unweighable() -> None:
    media_type = "application/vnd.oci.artifact.manifest.v1+json"
    raw = json.dumps({"mediaType": media_type, "blobs": []}).encode()

    found = parse_manifest(raw, media_type)

    assert isinstance(found, Unweighable)
    assert found.reason == "unknown_media_type"
    assert found.media_type == media_type


def test_an_image_without_layers_is_an_image() -> None:
    assert manifest_of(a_manifest([])).layers == ()


def test_the_accept_line_names_every_type_that_we_read_and_no_weights() -> None:
    types = ACCEPT.split(", ")

    assert types == [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST, SCHEMA1]
