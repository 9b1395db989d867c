"""Indexes: images of several platforms, and the attestations beside them."""

from collections.abc import Mapping, Sequence
from typing import Final

from weighbridge.demo.content.build_image import build_image
from weighbridge.demo.content.recipe import Attestation, Variants
from weighbridge.demo.content.stored_documents import (
    CONFIG,
    INDEX,
    MANIFEST,
    Served,
    StoredPush,
    as_json,
    as_served,
    descriptor,
    manifest_descriptor,
)
from weighbridge.demo.content.virtual_blobs import Blob, make_blob, whole_blob
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.platform import Platform

_ATTESTATION: Final = "application/vnd.docker.attestation.manifest.v1+json"
_IN_TOTO: Final = "application/vnd.in-toto+json"
_NO_CONFIG: Final = "application/vnd.oci.empty.v1+json"
_SBOM: Final = "https://spdx.dev/Document"
_PROVENANCE: Final = "https://slsa.dev/provenance/v1"


def build_index(variants: Variants) -> StoredPush:
    """Every platform's image first, then the attestations, as BuildKit does it."""
    children: list[dict[str, object]] = []
    attestations: list[dict[str, object]] = []
    manifests: list[Served] = []
    blobs: dict[Digest, Blob] = {}
    for recipe, attestation in variants.members:
        image = build_image(recipe)
        manifests += image.manifests
        blobs.update(image.blobs)
        children.append(_child(image.top, _platform(recipe.platform)))
        if attestation is not None:
            beside = _attestation(image.top, attestation)
            manifests += beside.manifests
            blobs.update(beside.blobs)
            attestations.append(_attestation_child(beside.top, image.top))
    media_type = INDEX[variants.style]
    document = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "manifests": children + attestations,
    }
    top = as_served(document, media_type)
    return StoredPush(top, (top, *manifests), blobs)


def _platform(platform: Platform) -> dict[str, str]:
    named = {"architecture": platform.architecture, "os": platform.os}
    return named | ({"variant": platform.variant} if platform.variant else {})


def _child(manifest: Served, platform: Mapping[str, str]) -> dict[str, object]:
    return {**manifest_descriptor(manifest), "platform": platform}


def _attestation_child(attestation: Served, subject: Served) -> dict[str, object]:
    return {
        **_child(attestation, {"architecture": "unknown", "os": "unknown"}),
        "annotations": {
            "vnd.docker.reference.digest": subject.digest,
            "vnd.docker.reference.type": "attestation-manifest",
        },
    }


def _attestation(subject: Served, attestation: Attestation) -> StoredPush:
    statements = [
        make_blob(f"{subject.digest} {position}", "json", content_bytes)
        for position, content_bytes in enumerate(attestation.statements)
    ]
    document: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST["oci"],
    }
    if attestation.is_legacy:
        config = whole_blob(_image_like_config(statements))
        document["config"] = descriptor(config, CONFIG["oci"])
    else:
        config = whole_blob(b"{}")
        document["artifactType"] = _ATTESTATION
        document["config"] = descriptor(config, _NO_CONFIG)
        document["subject"] = manifest_descriptor(subject)
    document["layers"] = _statement_layers(statements)
    top = as_served(document, MANIFEST["oci"])
    blobs = {blob.digest: blob for blob in (config, *statements)}
    return StoredPush(top, (top,), blobs)


def _statement_layers(statements: Sequence[Blob]) -> list[dict[str, object]]:
    # One statement alone is the provenance; an SBOM is only ever the first of two.
    kinds = (_SBOM, _PROVENANCE)[-len(statements) :]
    return [
        {
            **descriptor(blob, _IN_TOTO),
            "annotations": {"in-toto.io/predicate-type": kind},
        }
        for blob, kind in zip(statements, kinds, strict=True)
    ]


def _image_like_config(statements: Sequence[Blob]) -> bytes:
    diff_ids = [blob.diff_id for blob in statements]
    return as_json(
        {
            "architecture": "unknown",
            "os": "unknown",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        }
    )
