"""What is stored like an image and is none: charts, SBOMs, signatures, attestations."""

from collections.abc import Sequence

from weighbridge.domain.image import media_types
from weighbridge.domain.image.descriptor import REFERENCE_TYPE, find_media_type
from weighbridge.domain.image.document import Descriptor, ImageConfig, Layer, Role
from weighbridge.domain.image.platform import UNKNOWN


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

    All but the first are what it is called; see `may_be_image`.
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


def may_be_image(
    manifest_type: str, config: Descriptor, layers: Sequence[Layer]
) -> bool:
    """Whether what is called an artifact is an image if its config is an image's.

    1. A config of an image's type: Podman and Buildah unpack its layers by their
       bytes, whatever their media types say.
    2. A layer of a root file system: Docker reads the config of an OCI manifest
       whatever its media type says.
    """
    if not layers:
        return False
    if media_types.is_image_config(config.media_type, manifest_type):
        return True
    return any(media_types.is_root_layer(layer.media_type) for layer in layers)


def config_makes_image(config: ImageConfig) -> bool | None:
    """Whether the config of what is called an artifact makes an image of it; None: only
    the bytes of its layers can say.

    With a platform and `diff_ids` it does (image-spec, config.md), without `diff_ids`
    it does not. Signatures of cosign borrow a config that has them and no platform, and
    Buildah pulls such an image all the same, if its layers are archives.
    """
    if not config.has_root:
        return False
    return True if config.platform != UNKNOWN else None


def is_text(head: bytes) -> bool:
    """Whether a blob that begins so is a text, as signatures and statements are: every
    kind of archive has bytes there that no text has."""
    # The last character may be cut off.
    return b"\0" not in head and "\ufffd" not in head[:-3].decode(errors="replace")


def artifact_role(artifact_type: str) -> Role:
    """Whether it is an attestation of BuildKit or anything else."""
    if artifact_type in (media_types.ATTESTATION, media_types.IN_TOTO):
        return "attestation"
    return "artifact"


def child_role(child: Descriptor) -> Role:
    """What an index's child is, before it is fetched.

    1. What says the platform unknown/unknown is nothing that any runtime pulls: an
       annotation or `artifactType` says what else it is, and where neither does it is
       an attestation whose annotation was lost.
    2. Every other manifest or index may be pulled: runtimes choose by platform alone,
       and where none is said by the config's or by the place, so no annotation beside
       it may hide its weight. What it is after all, its own document says.
    3. Other media types are allowed (image-spec, image-index.md). Podman does not
       look at them where the platform fits, so an entry with one is an image until
       its document says otherwise; without a platform it is noted and left out, but
       see `Reader`, which asks whether it is a manifest all the same.
    """
    media_type = child.media_type.lower()
    if child.platform == UNKNOWN:
        return _role_of_unknown(child, media_type)
    if media_type in media_types.INDEXES:
        return "index"
    if media_type in media_types.KNOWN or child.platform is not None:
        return "image"
    return artifact_role(child.artifact_type)


def is_odd(child: Descriptor) -> bool:
    """Whether an entry of an index may be no manifest at all: its media type is none
    of a manifest's. That the registry does not have it as one is no fault then."""
    return (
        child.platform != UNKNOWN and child.media_type.lower() not in media_types.KNOWN
    )


def _role_of_unknown(child: Descriptor, media_type: str) -> Role:
    reference_type = child.annotations.get(REFERENCE_TYPE)
    if reference_type is not None:
        is_attestation = reference_type == "attestation-manifest"
        return "attestation" if is_attestation else "artifact"
    if child.artifact_type:
        return artifact_role(child.artifact_type)
    return "attestation" if media_type in media_types.MANIFESTS else "artifact"
