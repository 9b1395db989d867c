"""Manifests and indexes, from the raw bytes that a registry served; and what is stored
like an image and is none: charts, SBOMs, signatures, attestations.

What a pusher wrote is a stranger's word: every member is checked before it becomes
a value, nothing is guessed, and a document that two readers could understand
differently (CVE-2021-41190) is refused as a whole.
"""

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from weighbridge.domain import limits
from weighbridge.domain.image import media_types
from weighbridge.domain.image.digest import Digest, digest_of, verify
from weighbridge.domain.image.document import (
    REFERENCE_TYPE,
    Artifact,
    Child,
    Descriptor,
    ImageConfig,
    Index,
    Layer,
    Manifest,
    ParsedManifest,
    Role,
    Unweighable,
    find_base_named,
    find_media_type,
    invalid,
    parse_annotations,
    parse_descriptor,
    parse_layer,
)
from weighbridge.domain.image.platform import UNKNOWN
from weighbridge.domain.text.strict_json import Members, members, parse_json, shape
from weighbridge.errors import DocumentError


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


# One line, no q-values: distribution does not read them. What is missing here gets
# converted (Quay), answered with one child of the index (distribution) or with
# 404. Schema 1 is asked for so that it can be told from a tag that is gone.
ACCEPT: Final = ", ".join(
    (
        media_types.OCI_INDEX,
        media_types.DOCKER_LIST,
        media_types.OCI_MANIFEST,
        media_types.DOCKER_MANIFEST,
        media_types.SCHEMA1_SIGNED,
    )
)

_SHAPE: Final = shape(
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "subject",
    "annotations",
    "fsLayers",
)


_Named: TypeAlias = tuple[Digest, str, int]
"""How each document begins: its digest, its media type, its length in bytes."""


def parse_manifest(
    raw: bytes, content_type: str, wanted: Digest | None = None
) -> ParsedManifest:
    """What a manifest URL answered with.

    content_type: the header as it came; parameters and case do not matter, and a
                  type that says nothing (`application/json`) is ignored
    wanted:       the digest that was asked for; None after asking by tag, the
                  document is then named by its SHA-256

    Raises DocumentError: too_large, digest_mismatch, invalid_json, duplicate_key,
    ambiguous_manifest, media_type_mismatch, invalid_manifest, invalid_digest,
    invalid_size, descriptor_conflict, too_many_layers, index_too_large.
    """
    if len(raw) > limits.MANIFEST_BODY_BYTES:
        raise DocumentError(
            f"the manifest has more than {limits.MANIFEST_BODY_BYTES} bytes",
            code="too_large",
        )
    if wanted is not None:
        verify(raw, wanted)
    found = members(parse_json(raw), _SHAPE)
    if found is None:
        raise invalid("it is not an object")
    named = (wanted or digest_of(raw), manifest_type(found, content_type), len(raw))
    if named[1] in media_types.INDEXES:
        return _index(found, named)
    if named[1] in media_types.MANIFESTS:
        return _manifest(found, named)
    is_schema1 = named[1] in media_types.SCHEMA1_MANIFESTS
    return Unweighable(*named, "schema1" if is_schema1 else "unknown_media_type")


def _manifest(found: Members, named: _Named) -> Manifest | Artifact:
    _, media_type, _ = named
    config = parse_descriptor(found.get("config"), "config")
    layers = _layers(found.get("layers"), config, media_type)
    artifact_type = find_artifact_type(
        media_type, found.get("artifactType"), config, layers
    )
    annotations = parse_annotations(found.get("annotations"), "the manifest")
    manifest = Manifest(*named, config, layers, find_base_named(annotations))
    if not artifact_type:
        return manifest
    may_be = may_be_image(media_type, config, layers)
    return Artifact(
        *named,
        artifact_type=artifact_type,
        role=artifact_role(artifact_type),
        config=config,
        blobs=layers,
        may_be=manifest if may_be else None,
    )


def _layers(value: object, config: Descriptor, manifest_type: str) -> tuple[Layer, ...]:
    if value is None and not media_types.is_image_config(
        config.media_type, manifest_type
    ):
        return ()  # Go writes an artifact's empty list as null
    if not isinstance(value, list):
        raise invalid("layers is not a list")
    if len(value) > limits.LAYERS:
        raise DocumentError(
            f"the manifest has more than {limits.LAYERS} layers", code="too_many_layers"
        )
    layers = tuple(
        parse_layer(item, f"layers[{place}]") for place, item in enumerate(value)
    )
    sizes = [(layer.digest, layer.compressed_bytes) for layer in layers]
    _check_one_size_each([(config.digest, config.content_bytes), *sizes])
    return layers


def _check_one_size_each(sizes: Iterable[tuple[Digest, int]]) -> None:
    seen: dict[Digest, int] = {}
    for digest, content_bytes in sizes:
        if seen.setdefault(digest, content_bytes) != content_bytes:
            raise DocumentError(
                f"{digest[:19]}… is listed with two sizes", code="descriptor_conflict"
            )


def _index(found: Members, named: _Named) -> Index | Artifact:
    entries = found.get("manifests")
    if not isinstance(entries, list):
        raise invalid("manifests is not a list")
    descriptors: list[Descriptor] = []
    distinct: set[Digest] = set()
    for place, entry in enumerate(entries):
        descriptor = parse_descriptor(entry, f"manifests[{place}]")
        descriptors.append(descriptor)
        distinct.add(descriptor.digest)
        # One digest may stand for many platforms: it is fetched once.
        if len(distinct) > limits.INDEX_CHILDREN:
            raise DocumentError(
                f"the index names more than {limits.INDEX_CHILDREN} manifests",
                code="index_too_large",
            )
    _check_one_size_each((d.digest, d.content_bytes) for d in descriptors)
    parse_annotations(found.get("annotations"), "the index")
    cache = _find_build_cache(named, descriptors)
    return cache or Index(*named, tuple(Child(d, child_role(d)) for d in descriptors))


def _find_build_cache(
    named: _Named, descriptors: Sequence[Descriptor]
) -> Artifact | None:
    """BuildKit's registry cache: an index whose entries are layers and a config.

    One entry that a runtime could pull makes it an ordinary index, or an image
    could hide behind a line that calls it a cache.
    """
    configs = [d for d in descriptors if d.media_type == media_types.BUILDKIT_CACHE]
    if not configs or any(
        d.platform is not None or d.media_type.lower() in media_types.KNOWN
        for d in descriptors
    ):
        return None
    return Artifact(
        *named,
        artifact_type=media_types.BUILDKIT_CACHE,
        role="artifact",
        config=configs[0],
        blobs=tuple(
            Layer(d.media_type, d.digest, d.content_bytes)
            for d in descriptors
            if d is not configs[0]
        ),
    )


def manifest_type(found: Members, content_type: str) -> str:
    """The type by the document, the header and the form, which must agree.

    A vendor's type that we do not know is given back as it is.
    Raises DocumentError(ambiguous_manifest, media_type_mismatch, invalid_manifest).
    """
    _check_unambiguous(found)
    written = find_media_type(found.get("mediaType"), "the manifest").lower()
    claimed = media_types.essence(content_type)
    if media_types.is_generic(claimed):
        claimed = ""
    claimed = find_media_type(claimed, "the Content-Type")
    if written and claimed and written != claimed:
        raise _mismatch("its mediaType and the Content-Type differ")
    media_type = written or claimed or _sniffed(found)
    if media_type in media_types.KNOWN:
        _check_form(found, media_type)
    elif media_types.is_generic(media_type):
        raise invalid("its mediaType is not that of a manifest")
    return media_type


def _check_unambiguous(found: Members) -> None:
    """A document is an index or a manifest or schema 1, whatever its type says
    (image-spec, manifest.md, on the members that must not stand together)."""
    is_index = found.get("manifests") is not None
    is_schema1 = found.get("fsLayers") is not None
    is_manifest = found.get("layers") is not None or found.get("config") is not None
    if is_index + is_schema1 + is_manifest > 1:
        raise DocumentError(
            "the document is two kinds of manifest at once", code="ambiguous_manifest"
        )


def _sniffed(found: Members) -> str:
    """The type where nobody says it, as before OCI 1.0.2 and on file servers."""
    version = found.get("schemaVersion")
    if type(version) is not int or version not in (1, 2):
        raise invalid("it has neither a mediaType nor a known schemaVersion")
    if version == 1:
        return media_types.SCHEMA1
    if found.get("manifests") is not None:
        return media_types.OCI_INDEX
    config = found.get("config")
    if not isinstance(config, dict):
        raise invalid("it has neither config nor manifests")
    if config.get("mediaType") == media_types.DOCKER_CONFIG:
        return media_types.DOCKER_MANIFEST
    return media_types.OCI_MANIFEST


def _check_form(found: Members, media_type: str) -> None:
    """That the members are those of the type: a document is not read as an empty
    index because a header says so."""
    version = found.get("schemaVersion")
    expected = 1 if media_type in media_types.SCHEMA1_MANIFESTS else 2
    if version is not None and (type(version) is not int or version not in (1, 2)):
        raise invalid("its schemaVersion is not 1 or 2")
    if version is not None and version != expected:
        raise _mismatch("its schemaVersion is not that of its type")
    is_index = media_type in media_types.INDEXES
    other = ("config", "layers", "fsLayers") if is_index else ("manifests",)
    if any(found.get(name) is not None for name in other):
        raise _mismatch("its members are not those of its type")


def _mismatch(why: str) -> DocumentError:
    return DocumentError(
        f"the manifest is not what it claims to be: {why}", code="media_type_mismatch"
    )
