"""A registry's JSON documents: their media types and the values around them."""

import json
from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field

from weighbridge.demo.content.recipe import Style
from weighbridge.demo.content.virtual_blobs import Blob
from weighbridge.domain.image.digest import Digest, digest_of

_OCI: Final = "application/vnd.oci.image"
_DOCKER: Final = "application/vnd.docker"
MANIFEST: Final[Mapping[Style, str]] = {
    "docker": f"{_DOCKER}.distribution.manifest.v2+json",
    "oci": f"{_OCI}.manifest.v1+json",
}
INDEX: Final[Mapping[Style, str]] = {
    "docker": f"{_DOCKER}.distribution.manifest.list.v2+json",
    "oci": f"{_OCI}.index.v1+json",
}
CONFIG: Final[Mapping[Style, str]] = {
    "docker": f"{_DOCKER}.container.image.v1+json",
    "oci": f"{_OCI}.config.v1+json",
}
LAYER: Final = {
    ("docker", "gzip"): f"{_DOCKER}.image.rootfs.diff.tar.gzip",
    ("docker", "zstd"): f"{_DOCKER}.image.rootfs.diff.tar.zstd",
    ("docker", "tar"): f"{_DOCKER}.image.rootfs.diff.tar",
    ("oci", "gzip"): f"{_OCI}.layer.v1.tar+gzip",
    ("oci", "zstd"): f"{_OCI}.layer.v1.tar+zstd",
    ("oci", "tar"): f"{_OCI}.layer.v1.tar",
}


class Served(Struct, frozen=True):
    """A manifest as it goes over the wire."""

    content: bytes
    media_type: str
    digest: Digest


class StoredPush(Struct, frozen=True):
    """What one push puts into a repository.

    top:       the manifest that the tags name
    manifests: it and all below it
    """

    top: Served
    manifests: tuple[Served, ...]
    blobs: Mapping[Digest, Blob] = field(default_factory=dict)


def as_json(document: Mapping[str, object]) -> bytes:
    """Compact, keys in the order given: the same bytes every time."""
    return json.dumps(document, separators=(",", ":")).encode()


def as_served(document: Mapping[str, object], media_type: str) -> Served:
    """A document under the digest of its bytes."""
    content = as_json(document)
    return Served(content, media_type, digest_of(content))


def descriptor(blob: Blob, media_type: str) -> dict[str, object]:
    """image-spec, descriptor.md, for a blob."""
    return {
        "mediaType": media_type,
        "digest": blob.digest,
        "size": blob.content_bytes,
    }


def manifest_descriptor(manifest: Served) -> dict[str, object]:
    """image-spec, descriptor.md, for a manifest."""
    return {
        "mediaType": manifest.media_type,
        "digest": manifest.digest,
        "size": len(manifest.content),
    }
