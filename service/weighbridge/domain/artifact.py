"""What is stored like an image and is none: charts, SBOMs, signatures, attestations."""

from collections.abc import Sequence
from typing import Final

from weighbridge.domain import media_types
from weighbridge.domain.descriptor import find_media_type
from weighbridge.domain.document import Descriptor, Layer, Role
from weighbridge.domain.platform import UNKNOWN

_REFERENCE_TYPE: Final = "vnd.docker.reference.type"


def find_artifact_type(
    manifest_type: str, said: object, config: Descriptor, layers: Sequence[Layer]
) -> str:
    """What a manifest holds if it is no image, else "".

    1. An image's config over layers of a file system is an image, whatever else is
       written: a runtime would pull and run it, and a name must not hide its weight.
    2. Its `artifactType` (`said`) names it (image-spec, manifest.md, "Guidelines
       for Artifact Usage").
    3. A config that is no image's config names it; where that is the empty one,
       the first layer does.
    4. Cosign and BuildKit's older attestations borrow an image's config: if no
       layer is part of a file system, the first layer names it.

    Raises DocumentError(invalid_manifest).
    """
    named = find_media_type(said, "artifactType")
    has_image_config = media_types.is_image_config(config.media_type, manifest_type)
    if has_image_config and any(
        media_types.is_file_system(layer.media_type) for layer in layers
    ):
        return ""
    if named:
        return named
    if not has_image_config:
        if config.media_type == media_types.OCI_EMPTY and layers:
            return layers[0].media_type
        return config.media_type
    return layers[0].media_type if layers else ""


def artifact_role(artifact_type: str) -> Role:
    """Whether it is an attestation of BuildKit or anything else."""
    if artifact_type in (media_types.ATTESTATION, media_types.IN_TOTO):
        return "attestation"
    return "artifact"


def child_role(child: Descriptor) -> Role:
    """What an index's child is, before it is fetched.

    1. A manifest for a real platform is an image: runtimes choose by platform alone
       and would pull it, so no annotation beside it may hide its weight.
    2. BuildKit gives attestations the media type of an image and says what they
       are in an annotation; another value there is a use that nobody knows yet.
    3. `artifactType` says it.
    4. The media type says it; unknown ones are allowed (image-spec,
       image-index.md) and nothing that could be pulled.
    5. An image for unknown/unknown is an attestation whose annotation was lost.
    """
    media_type = child.media_type.lower()
    is_manifest = media_type in media_types.KNOWN - media_types.INDEXES
    if is_manifest and child.platform not in (None, UNKNOWN):
        return "image"
    reference_type = child.annotations.get(_REFERENCE_TYPE)
    if reference_type is not None:
        is_attestation = reference_type == "attestation-manifest"
        return "attestation" if is_attestation else "artifact"
    if child.artifact_type:
        return artifact_role(child.artifact_type)
    if media_type in media_types.INDEXES:
        return "index"
    if media_type not in media_types.KNOWN:
        return "artifact"
    return "attestation" if child.platform == UNKNOWN else "image"
