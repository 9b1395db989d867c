"""The media types of manifests, configs and layers, and what each one is for."""

from functools import lru_cache
from typing import Final

OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY: Final = "application/vnd.oci.empty.v1+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
SCHEMA1_SIGNED: Final = "application/vnd.docker.distribution.manifest.v1+prettyjws"
SCHEMA1: Final = "application/vnd.docker.distribution.manifest.v1+json"
OCTET_STREAM: Final = "application/octet-stream"

IN_TOTO: Final = "application/vnd.in-toto+json"
ATTESTATION: Final = "application/vnd.docker.attestation.manifest.v1+json"
BUILDKIT_CACHE: Final = "application/vnd.buildkit.cacheconfig.v0"

INDEXES: Final = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFESTS: Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
SCHEMA1_MANIFESTS: Final = frozenset({SCHEMA1, SCHEMA1_SIGNED})
KNOWN: Final = INDEXES | MANIFESTS | SCHEMA1_MANIFESTS

_FOREIGN: Final = (
    "application/vnd.docker.image.rootfs.foreign.",
    "application/vnd.oci.image.layer.nondistributable.",
)


@lru_cache(maxsize=256)
def essence(content_type: str) -> str:
    """A Content-Type without its parameters, in lower case (RFC 9110 8.3.1)."""
    return content_type.partition(";")[0].strip().lower()


def is_generic(media_type: str) -> bool:
    """Whether it says nothing about manifests: `application/json`, `text/plain`.

    Servers of plain files answer with whatever the file's name suggests, so only a
    vendor's type is a claim that can contradict the document.
    """
    return not media_type.startswith("application/vnd.")


def is_image_config(media_type: str, manifest_type: str) -> bool:
    """Whether a config of this type describes a file system to run.

    Docker before 1.10 pushed configs as octet-streams.
    """
    if media_type == OCTET_STREAM:
        return manifest_type == DOCKER_MANIFEST
    return media_type in (OCI_CONFIG, DOCKER_CONFIG)


@lru_cache(maxsize=256)
def is_file_system(media_type: str) -> bool:
    """Whether a layer of this type is part of a root file system.

    Signatures, SBOMs and attestations by cosign hang below a real-looking image
    config; only the types of their layers give them away.
    """
    return any(
        part in media_type for part in (".layer.", ".rootfs.", ".tar", "/x-tar", "/tar")
    )


@lru_cache(maxsize=256)
def is_root_layer(media_type: str) -> bool:
    """Whether it is the type of an image's layer: image-spec's or Docker's."""
    return media_type.startswith(
        ("application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs.")
    )


@lru_cache(maxsize=256)
def is_foreign(media_type: str) -> bool:
    """Whether layers of this type stay outside the registry."""
    return media_type.startswith(_FOREIGN)
