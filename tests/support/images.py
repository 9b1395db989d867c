"""Builders of images, as raw documents with true digests and as values.

A test states what it is about and leaves the rest to the defaults:
`a_manifest(layers=some_layers(100, 20))` is a `Served`, what a registry would
answer; `an_image(layers=some_layers(100, 20))` is the value of the same image.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import (
    Artifact,
    Child,
    Descriptor,
    HistoryAlignment,
    Image,
    Index,
    Layer,
    Line,
    Manifest,
    Problem,
    Role,
)
from weighbridge.domain.image.platform import DEFAULT, Platform

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY: Final = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
GZIP_LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
ZSTD_LAYER: Final = "application/vnd.oci.image.layer.v1.tar+zstd"
TAR_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
DOCKER_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
FOREIGN_LAYER: Final = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
IN_TOTO: Final = "application/vnd.in-toto+json"

UNKNOWN_PLATFORM: Final = Platform("unknown", "unknown")
CREATED_AT: Final = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Served:
    """A document as a registry serves it."""

    raw: bytes
    media_type: str
    platform: Platform | None = None

    @property
    def digest(self) -> Digest:
        return Digest(f"sha256:{hashlib.sha256(self.raw).hexdigest()}")


@dataclass(frozen=True, slots=True)
class ServedImage:
    """Both documents of one image."""

    manifest: Served
    config: Served
    layers: tuple[Layer, ...]


def a_digest(name: object = "something") -> Digest:
    """A well-formed digest that is always the same for one name."""
    return Digest(f"sha256:{hashlib.sha256(repr(name).encode()).hexdigest()}")


def a_layer(
    name: object = "layer",
    compressed_bytes: int = 1000,
    media_type: str = GZIP_LAYER,
    *,
    is_foreign: bool = False,
    annotated_uncompressed_bytes: int | None = None,
) -> Layer:
    """One layer; the name decides its digest."""
    return Layer(
        media_type=media_type,
        digest=a_digest(name),
        compressed_bytes=compressed_bytes,
        is_foreign=is_foreign,
        annotated_uncompressed_bytes=annotated_uncompressed_bytes,
    )


def some_layers(*compressed_bytes: int, name: str = "layer") -> tuple[Layer, ...]:
    """Layers of these sizes, base first, each with a digest of its own."""
    return tuple(a_layer((name, i), n) for i, n in enumerate(compressed_bytes))


def a_config(
    layers: int = 1,
    *,
    platform: Platform = DEFAULT,
    created: str | None = "2024-05-06T07:08:09Z",
    history: Sequence[Mapping[str, object]] | None = None,
    written: Mapping[str, object] | None = None,
    **changes: object,
) -> Served:
    """A config with one RUN line a layer, unless a history is given.

    changes: further top-level keys, or other values for those that are there
    written: the same, where a key is also an argument: `{"created": 7}`
    """
    if history is None:
        history = [
            {"created": created, "created_by": f"RUN step-{i} # buildkit"}
            for i in range(layers)
        ]
    document: dict[str, object] = {
        **_platform_json(platform),
        "created": created,
        "config": {"Cmd": ["sh"], "Labels": {"maintainer": "shop"}},
        "rootfs": {
            "type": "layers",
            "diff_ids": [a_digest(("diff", i)) for i in range(layers)],
        },
        "history": list(history),
    }
    document |= changes | dict(written or {})
    return Served(_dumped(document), OCI_CONFIG, platform)


def a_manifest(
    layers: Sequence[Layer] | None = None,
    config: Served | None = None,
    *,
    media_type: str = OCI_MANIFEST,
    written: Mapping[str, object] | None = None,
    **changes: object,
) -> Served:
    """A manifest of these layers (one of 1,000 bytes by default).

    changes: further top-level keys, or other values for those that are there
    written: the same, where a key is also an argument: `{"layers": None}`
    """
    layers = some_layers(1000) if layers is None else layers
    config = config or a_config(len(layers))
    document: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": descriptor_json(config),
        "layers": [layer_json(layer) for layer in layers],
    }
    document |= changes | dict(written or {})
    return Served(_dumped(document), media_type, config.platform)


def a_served_image(
    layers: Sequence[Layer] | None = None,
    *,
    platform: Platform = DEFAULT,
    history: Sequence[Mapping[str, object]] | None = None,
    created: str | None = "2024-05-06T07:08:09Z",
) -> ServedImage:
    """A manifest and its config, fitting one another."""
    layers = some_layers(1000) if layers is None else layers
    config = a_config(len(layers), platform=platform, history=history, created=created)
    return ServedImage(a_manifest(layers, config), config, tuple(layers))


def an_index(
    children: Sequence[Served | Mapping[str, object]] | None = None,
    *,
    media_type: str = OCI_INDEX,
    **changes: object,
) -> Served:
    """An index of these children; a mapping is taken as a descriptor is written."""
    if children is None:
        children = [a_manifest()]
    document: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "manifests": [
            descriptor_json(child) if isinstance(child, Served) else dict(child)
            for child in children
        ],
    }
    return Served(_dumped(document | changes), media_type)


def an_attestation() -> Served:
    """What BuildKit stores beside an image: in-toto statements, no file system."""
    statement = a_layer("provenance", 4000, IN_TOTO)
    config = a_config(1, platform=UNKNOWN_PLATFORM, history=[])
    return a_manifest([statement], config)


def an_attestation_entry(attestation: Served, subject: Digest) -> dict[str, object]:
    """The descriptor by which an index names an attestation."""
    return descriptor_json(attestation) | {
        "annotations": {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": subject,
        },
        "platform": _platform_json(UNKNOWN_PLATFORM),
    }


def an_artifact(
    artifact_type: str = "application/vnd.example.sbom+json",
    blobs: Sequence[Layer] | None = None,
) -> Served:
    """An OCI artifact with the empty config (image-spec, manifest.md)."""
    empty = Served(b"{}", OCI_EMPTY)
    blobs = [a_layer("sbom", 700, artifact_type)] if blobs is None else blobs
    return a_manifest(blobs, empty, artifactType=artifact_type)


def an_image(
    layers: Sequence[Layer] | None = None,
    *,
    platform: Platform = DEFAULT,
    lines: Sequence[Line] | None = None,
    history_alignment: HistoryAlignment = "exact",
    created_at: datetime | None = CREATED_AT,
    problems: Sequence[Problem] = (),
) -> Image:
    """The value of an image, one RUN line a layer; made without our parsers."""
    layers = some_layers(1000) if layers is None else layers
    if lines is None:
        lines = [Line(f"RUN step-{i}", created_at, layer=i) for i in range(len(layers))]
    served = a_served_image(layers, platform=platform)
    return Image(
        manifest=Manifest(
            digest=served.manifest.digest,
            media_type=served.manifest.media_type,
            manifest_bytes=len(served.manifest.raw),
            config=a_descriptor(served.config),
            layers=tuple(layers),
        ),
        platform=platform,
        created_at=created_at,
        diff_ids=tuple(a_digest(("diff", i)) for i in range(len(layers))),
        lines=tuple(lines),
        history_alignment=history_alignment,
        problems=tuple(problems),
    )


def an_index_of(*images: Image, others: Sequence[Child] = ()) -> Index:
    """The value of an index whose children are these images."""
    children = [
        Child(
            Descriptor(
                media_type=image.media_type,
                digest=image.digest,
                content_bytes=image.manifest.manifest_bytes,
                platform=image.platform,
            ),
            "image",
        )
        for image in images
    ]
    children.extend(others)
    raw = repr([child.descriptor.digest for child in children]).encode()
    return Index(
        digest=a_digest(raw),
        media_type=OCI_INDEX,
        manifest_bytes=200 + 250 * len(children),
        children=tuple(children),
    )


def an_artifact_of(
    *blobs: Layer, artifact_type: str = IN_TOTO, role: Role = "attestation"
) -> Artifact:
    """The value of something that is no image."""
    return Artifact(
        digest=a_digest(("artifact", artifact_type, blobs)),
        media_type=OCI_MANIFEST,
        manifest_bytes=500,
        artifact_type=artifact_type,
        role=role,
        config=Descriptor(OCI_EMPTY, a_digest("{}"), 2),
        blobs=blobs,
    )


def a_descriptor(document: Served) -> Descriptor:
    """The value of the descriptor that points at this document."""
    return Descriptor(document.media_type, document.digest, len(document.raw))


def descriptor_json(document: Served) -> dict[str, object]:
    """The descriptor that points at this document, as it is written."""
    written: dict[str, object] = {
        "mediaType": document.media_type,
        "digest": document.digest,
        "size": len(document.raw),
    }
    if document.platform is not None and document.media_type != OCI_CONFIG:
        written["platform"] = _platform_json(document.platform)
    return written


def layer_json(layer: Layer) -> dict[str, object]:
    """A layer's descriptor as it is written."""
    written: dict[str, object] = {
        "mediaType": layer.media_type,
        "digest": layer.digest,
        "size": layer.compressed_bytes,
    }
    if layer.is_foreign:
        written["urls"] = ["https://layers.example/blob"]
    if layer.annotated_uncompressed_bytes is not None:
        written["annotations"] = {
            "io.containers.estargz.uncompressed-size": str(
                layer.annotated_uncompressed_bytes
            )
        }
    return written


def _platform_json(platform: Platform) -> dict[str, object]:
    written: dict[str, object] = {
        "os": platform.os,
        "architecture": platform.architecture,
    }
    if platform.variant:
        written["variant"] = platform.variant
    if platform.os_version:
        written["os.version"] = platform.os_version
    return written


def _dumped(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
