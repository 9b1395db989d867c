"""Recipes made into what a registry serves: manifests, indexes, configs, blobs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from weighbridge.demo.blobs import Blob, make_blob, whole_blob
from weighbridge.demo.dialects import created_by
from weighbridge.demo.recipe import (
    Attestation,
    Chart,
    Dialect,
    Item,
    Recipe,
    Step,
    Style,
    Variants,
)
from weighbridge.domain.digest import Digest, digest_of

_OCI: Final = "application/vnd.oci.image"
_DOCKER: Final = "application/vnd.docker"
_MANIFEST: Final[Mapping[Style, str]] = {
    "docker": f"{_DOCKER}.distribution.manifest.v2+json",
    "oci": f"{_OCI}.manifest.v1+json",
}
_INDEX: Final[Mapping[Style, str]] = {
    "docker": f"{_DOCKER}.distribution.manifest.list.v2+json",
    "oci": f"{_OCI}.index.v1+json",
}
_CONFIG: Final[Mapping[Style, str]] = {
    "docker": f"{_DOCKER}.container.image.v1+json",
    "oci": f"{_OCI}.config.v1+json",
}
_LAYER: Final = {
    ("docker", "gzip"): f"{_DOCKER}.image.rootfs.diff.tar.gzip",
    ("docker", "zstd"): f"{_DOCKER}.image.rootfs.diff.tar.zstd",
    ("docker", "tar"): f"{_DOCKER}.image.rootfs.diff.tar",
    ("oci", "gzip"): f"{_OCI}.layer.v1.tar+gzip",
    ("oci", "zstd"): f"{_OCI}.layer.v1.tar+zstd",
    ("oci", "tar"): f"{_OCI}.layer.v1.tar",
}
_ATTESTATION: Final = "application/vnd.docker.attestation.manifest.v1+json"
_EMPTY_CONFIG: Final = b"{}"


@dataclass(frozen=True, slots=True)
class Served:
    """A manifest as it goes over the wire."""

    content: bytes
    media_type: str
    digest: Digest


@dataclass(frozen=True, slots=True)
class Stored:
    """What one push puts into a repository.

    top:       the manifest that the tags name
    manifests: it and all below it
    """

    top: Served
    manifests: tuple[Served, ...]
    blobs: Mapping[Digest, Blob] = field(default_factory=dict)


@cache
def stored(item: Item) -> Stored:
    """Everything of one item; made once, the same bytes in every process."""
    if isinstance(item, Recipe):
        return _image(item)
    if isinstance(item, Variants):
        return _index(item)
    return _chart(item)


def _served(document: Mapping[str, object], media_type: str) -> Served:
    content = json.dumps(document, separators=(",", ":")).encode()
    return Served(content, media_type, digest_of(content))


def _descriptor(blob: Blob, media_type: str) -> dict[str, object]:
    return {
        "mediaType": media_type,
        "digest": blob.digest,
        "size": blob.content_bytes,
    }


def _image(recipe: Recipe) -> Stored:
    layers: list[Blob] = []
    descriptors: list[dict[str, object]] = []
    for step, _ in recipe.all_steps():
        if step.layer is None:
            continue
        layers.append(_layer(step, recipe.platform.architecture))
        media_type = _LAYER[recipe.style, step.layer.packing]
        descriptors.append(_descriptor(layers[-1], media_type))
    config = whole_blob(_config(recipe, layers))
    manifest = _served(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST[recipe.style],
            "config": _descriptor(config, _CONFIG[recipe.style]),
            "layers": descriptors,
        },
        _MANIFEST[recipe.style],
    )
    blobs = {blob.digest: blob for blob in (config, *layers)}
    return Stored(manifest, (manifest,), blobs)


@cache
def _layer(step: Step, architecture: str) -> Blob:
    figure = step.layer
    if figure is None:
        raise AssertionError("only steps with a layer come here")
    # The same step of the same build is the same blob in every image above it.
    name = f"{architecture} {step.at} {step.instruction} {figure.edition}"
    return make_blob(
        name, figure.packing, figure.compressed_bytes, figure.uncompressed_bytes
    )


def _config(recipe: Recipe, layers: list[Blob]) -> bytes:
    platform = recipe.platform
    document: dict[str, object] = {
        "architecture": platform.architecture,
        "config": {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"]},
        "created": recipe.steps[-1].at,
        "history": [_history(step, dialect) for step, dialect in recipe.all_steps()],
        "os": platform.os,
        "rootfs": {"type": "layers", "diff_ids": [blob.diff_id for blob in layers]},
    }
    if platform.variant:
        document["variant"] = platform.variant
    return json.dumps(document, separators=(",", ":")).encode()


def _history(step: Step, dialect: Dialect) -> dict[str, object]:
    text, comment = created_by(step.instruction, dialect)
    entry: dict[str, object] = {"created": step.at, "created_by": text}
    if comment:
        entry["comment"] = comment
    if step.layer is None:
        entry["empty_layer"] = True
    return entry


def _index(variants: Variants) -> Stored:
    children: list[dict[str, object]] = []
    attestations: list[dict[str, object]] = []
    manifests: list[Served] = []
    blobs: dict[Digest, Blob] = {}
    for recipe, attestation in variants.members:
        image = stored(recipe)
        manifests.append(image.top)
        blobs.update(image.blobs)
        children.append(_child(image.top, _platform(recipe)))
        if attestation is not None:
            beside = _attestation(image.top, attestation)
            manifests.append(beside.top)
            blobs.update(beside.blobs)
            attestations.append(_attestation_child(beside.top, image.top))
    # BuildKit lists every image before the first attestation.
    media_type = _INDEX[variants.style]
    index = _served(
        {
            "schemaVersion": 2,
            "mediaType": media_type,
            "manifests": children + attestations,
        },
        media_type,
    )
    return Stored(index, (index, *manifests), blobs)


def _platform(recipe: Recipe) -> dict[str, str]:
    platform = recipe.platform
    named = {"architecture": platform.architecture, "os": platform.os}
    if platform.variant:
        named["variant"] = platform.variant
    return named


def _child(served: Served, platform: Mapping[str, str]) -> dict[str, object]:
    return {
        "mediaType": served.media_type,
        "digest": served.digest,
        "size": len(served.content),
        "platform": platform,
    }


def _attestation_child(attestation: Served, subject: Served) -> dict[str, object]:
    child = _child(attestation, {"architecture": "unknown", "os": "unknown"})
    child["annotations"] = {
        "vnd.docker.reference.digest": subject.digest,
        "vnd.docker.reference.type": "attestation-manifest",
    }
    return child


def _attestation(subject: Served, attestation: Attestation) -> Stored:
    kinds = ("https://spdx.dev/Document", "https://slsa.dev/provenance/v1")
    statements = [
        make_blob(f"{subject.digest} {position}", "json", content_bytes)
        for position, content_bytes in enumerate(attestation.statements)
    ]
    layers = [
        {
            **_descriptor(blob, "application/vnd.in-toto+json"),
            "annotations": {"in-toto.io/predicate-type": kind},
        }
        for blob, kind in zip(statements, kinds[-len(statements) :], strict=True)
    ]
    document: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST["oci"],
    }
    if attestation.is_legacy:
        config = whole_blob(_attestation_config(statements))
        document["config"] = _descriptor(config, _CONFIG["oci"])
        document["layers"] = layers
    else:
        config = whole_blob(_EMPTY_CONFIG)
        document["artifactType"] = _ATTESTATION
        document["config"] = _descriptor(config, "application/vnd.oci.empty.v1+json")
        document["layers"] = layers
        document["subject"] = {
            "mediaType": subject.media_type,
            "digest": subject.digest,
            "size": len(subject.content),
        }
    served = _served(document, _MANIFEST["oci"])
    blobs = {blob.digest: blob for blob in (config, *statements)}
    return Stored(served, (served,), blobs)


def _attestation_config(statements: list[Blob]) -> bytes:
    document = {
        "architecture": "unknown",
        "os": "unknown",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [blob.diff_id for blob in statements]},
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _chart(chart: Chart) -> Stored:
    about = {"name": chart.name, "version": chart.version, "apiVersion": "v2"}
    config = whole_blob(json.dumps(about, separators=(",", ":")).encode())
    content = make_blob(f"{chart.name} {chart.version}", "gzip", chart.content_bytes)
    helm = "application/vnd.cncf.helm"
    manifest = _served(
        {
            "schemaVersion": 2,
            "config": _descriptor(config, f"{helm}.config.v1+json"),
            "layers": [_descriptor(content, f"{helm}.chart.content.v1.tar+gzip")],
            "annotations": {"org.opencontainers.image.created": chart.at},
        },
        _MANIFEST["oci"],
    )
    blobs = {config.digest: config, content.digest: content}
    return Stored(manifest, (manifest,), blobs)
