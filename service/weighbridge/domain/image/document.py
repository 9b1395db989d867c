"""What a registry's manifests say, as values: the results of our parsers; and how one
document names another, by a descriptor with its type, digest and size (image-spec,
descriptor.md; Docker's schema 2 writes the same members).

A `Document` is anything that a manifest URL can answer with. It is immutable and
named by its digest; `domain.image.manifest` makes it from raw bytes,
`domain.image.image_config` joins a manifest with its config. What a document has by the
dozen is a named tuple: it is made in a quarter of the time of a frozen dataclass.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeAlias

from msgspec import Struct, field

from weighbridge.domain import limits
from weighbridge.domain.image import media_types
from weighbridge.domain.image.digest import Digest, is_digest, parse_digest
from weighbridge.domain.image.platform import Platform, normalised
from weighbridge.domain.image.reference import Reference, parse_reference
from weighbridge.domain.text.strict_json import Members, members, shape
from weighbridge.errors import DocumentError, InvalidReference

Role: TypeAlias = Literal["image", "index", "attestation", "artifact"]
"""What a child of an index is. Only `image` and `index` lead to images."""

HistoryAlignment: TypeAlias = Literal["exact", "inferred", "unresolved"]
"""How sure it is which line made which layer: `exact` by counting, `inferred` by
what the lines say, `unresolved` where neither works (lines then name no layer)."""


class Descriptor(Struct, frozen=True):
    """image-spec, descriptor.md. `content_bytes` is its `size`, in bytes; of its
    annotations those are kept that are read (`descriptor.parse_annotations`)."""

    media_type: str
    digest: Digest
    content_bytes: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    platform: Platform | None = None
    artifact_type: str = ""


class Layer(NamedTuple):
    """One layer of a manifest, in order, base first.

    compressed_bytes: the blob's size as the descriptor says
    is_foreign:       not in this registry (`urls`, nondistributable); its `urls`
                      are dropped when parsed and never followed
    annotated_uncompressed_bytes: what a builder wrote, or None
    """

    media_type: str
    digest: Digest
    compressed_bytes: int
    is_foreign: bool = False
    annotated_uncompressed_bytes: int | None = None


class AnnotatedBase(Struct, frozen=True):
    """What whoever pushed an image says that it was built on (image-spec,
    annotations.md, `org.opencontainers.image.base.name` and `.digest`); one of both may
    be missing.

    name: read as Docker reads it
    """

    name: Reference | None
    digest: Digest | None


class Manifest(Struct, frozen=True):
    """An image's manifest (schema 2 or OCI), before its config is known.

    base: what its annotations say of it; None: nothing, or nothing that can be read
    """

    digest: Digest
    media_type: str
    manifest_bytes: int
    config: Descriptor
    layers: tuple[Layer, ...]
    base: AnnotatedBase | None = None


class Child(Struct, frozen=True):
    """One entry of an index."""

    descriptor: Descriptor
    role: Role


class Index(Struct, frozen=True):
    """An OCI index or a Docker manifest list."""

    digest: Digest
    media_type: str
    manifest_bytes: int
    children: tuple[Child, ...]


class Artifact(Struct, frozen=True):
    """Something stored as a manifest that is no image: a chart, an SBOM, a
    signature, an attestation. `artifact_type` names it; `role` is `attestation`
    or `artifact`. Its blobs count in storage only.

    may_be: the image that it is after all if its config turns out to be an image's,
            see `artifact.may_be_image`; None: its config need not be read
    is_config_read: its config was read whole, and is as long as is said here
    """

    digest: Digest
    media_type: str
    manifest_bytes: int
    artifact_type: str
    role: Role
    config: Descriptor | None
    blobs: tuple[Layer, ...]
    may_be: Manifest | None = None
    is_config_read: bool = False

    @property
    def stored_bytes(self) -> int:
        """Manifest, config and distinct blobs, foreign ones left out."""
        sizes = {b.digest: b.compressed_bytes for b in self.blobs if not b.is_foreign}
        if self.config is not None:
            sizes.setdefault(self.config.digest, self.config.content_bytes)
        return self.manifest_bytes + sum(sizes.values())


class Unweighable(Struct, frozen=True):
    """A manifest that is recognised but holds no sizes: schema 1, an unknown type.

    reason: `schema1` or `unknown_media_type`
    """

    digest: Digest
    media_type: str
    manifest_bytes: int
    reason: str


class HistoryEntry(NamedTuple):
    """One raw entry of a config's `history`.

    created_by: untouched text; never stored or shown, see `domain.image.image_config`
    empty_layer: True or False as written, None where the key is absent
    """

    created_by: str
    created_at: datetime | None = None
    empty_layer: bool | None = None
    comment: str = ""


class ImageConfig(Struct, frozen=True):
    """A config (image-spec, config.md) as far as we use it.

    has_root: whether it names a root file system by `diff_ids`, good ones or not
    """

    digest: Digest
    config_bytes: int
    platform: Platform
    created_at: datetime | None
    diff_ids: tuple[Digest, ...]
    history: tuple[HistoryEntry, ...]
    has_root: bool = True


class Line(NamedTuple):
    """One step of an image's history: a Dockerfile instruction and its layer.

    instruction: normalised, secrets masked, at most 8 KiB, one printable line
    layer:       0-based index into the image's layers, or None
    """

    instruction: str
    created_at: datetime | None
    layer: int | None


class Problem(Struct, frozen=True):
    """Something wrong that leaves the item usable: a code and a sentence."""

    code: str
    message: str


class Image(Struct, frozen=True):
    """One platform's manifest with its config and layers.

    compressed_bytes: each distinct digest once, foreign layers included
    stored_bytes:     manifest, config and distinct layers, foreign ones left out
    problems:         why history or platform are missing (a config that could not
                      be read leaves the sizes good)
    """

    manifest: Manifest
    platform: Platform
    created_at: datetime | None
    diff_ids: tuple[Digest, ...]
    lines: tuple[Line, ...]
    history_alignment: HistoryAlignment
    problems: tuple[Problem, ...] = ()

    @property
    def digest(self) -> Digest:
        return self.manifest.digest

    @property
    def media_type(self) -> str:
        return self.manifest.media_type

    @property
    def layers(self) -> tuple[Layer, ...]:
        return self.manifest.layers

    @property
    def compressed_bytes(self) -> int:
        return sum({y.digest: y.compressed_bytes for y in self.layers}.values())

    @property
    def stored_bytes(self) -> int:
        sizes = {y.digest: y.compressed_bytes for y in self.layers if not y.is_foreign}
        config = self.manifest.config
        sizes.setdefault(config.digest, config.content_bytes)
        return self.manifest.manifest_bytes + sum(sizes.values())


Document: TypeAlias = Image | Index | Artifact | Unweighable
ParsedManifest: TypeAlias = Manifest | Index | Artifact | Unweighable


_DESCRIPTOR: Final = shape(
    "mediaType",
    "digest",
    "size",
    "urls",
    "annotations",
    "data",
    "platform",
    "artifactType",
)
_PLATFORM: Final = shape(
    "architecture", "os", "os.version", "os.features", "variant", "features"
)
_MEDIA_TYPE: Final = re.compile(rf"[!-~ ]{{1,{limits.MEDIA_TYPE_CHARACTERS}}}")
_PLATFORM_WORD: Final = re.compile(
    rf"[A-Za-z0-9._+-]{{0,{limits.PLATFORM_CHARACTERS}}}", re.ASCII
)
_DECIMAL: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
# Both count the bytes of the tar stream. BuildKit writes the first for eStargz,
# umoci the second for every layer.
_UNCOMPRESSED_SIZE: Final = (
    "io.containers.estargz.uncompressed-size",
    "ci.umo.uncompressed_blob_size",
)
REFERENCE_TYPE: Final = "vnd.docker.reference.type"
REFERENCE_DIGEST: Final = "vnd.docker.reference.digest"
"""What BuildKit says of an attestation in an index: what it is, and of which image."""
BASE_NAME: Final = "org.opencontainers.image.base.name"
BASE_DIGEST: Final = "org.opencontainers.image.base.digest"
_READ: Final = (
    *_UNCOMPRESSED_SIZE,
    REFERENCE_TYPE,
    REFERENCE_DIGEST,
    BASE_NAME,
    BASE_DIGEST,
)


def parse_descriptor(value: object, where: str) -> Descriptor:
    """A descriptor; `where` names it in messages, such as `layers[3]`.

    Raises DocumentError(invalid_manifest, invalid_digest, invalid_size,
    ambiguous_manifest).
    """
    found = _members(value, where)
    return Descriptor(
        media_type=_media_type(found, where),
        digest=_digest(found, where),
        content_bytes=_content_bytes(found, where),
        annotations=parse_annotations(found.get("annotations"), where),
        platform=find_platform(found.get("platform")),
        artifact_type=find_media_type(found.get("artifactType"), where),
    )


def parse_layer(value: object, where: str) -> Layer:
    """A layer, with the same errors. Its `urls` only make it foreign: they are a
    pusher's words and nothing of them is kept (CVE-2020-15157)."""
    found = _members(value, where)
    media_type = _media_type(found, where)
    urls = found.get("urls")
    if urls is not None and not isinstance(urls, list):
        raise invalid(f"{where}.urls is not a list")
    annotations = found.get("annotations")
    annotated = None
    if annotations is not None:
        annotated = _annotated_uncompressed_bytes(parse_annotations(annotations, where))
    return Layer(
        media_type,
        _digest(found, where),
        _content_bytes(found, where),
        bool(urls) or media_types.is_foreign(media_type),
        annotated,
    )


def parse_annotations(value: object, where: str) -> Mapping[str, str]:
    """A map of strings, of which those are kept that are read: a document of 4 MiB
    may be nothing but annotations."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(f"{where}.annotations is not an object")
    for text in value.values():
        if not isinstance(text, str):
            raise invalid(f"{where}.annotations has a value that is not a string")
    return {
        name: value[name]
        for name in _READ
        if name in value and len(value[name]) <= limits.ANNOTATION_CHARACTERS
    }


def find_base_named(annotations: Mapping[str, str]) -> AnnotatedBase | None:
    """What they say of a base. A name or a digest that is none says nothing; a digest
    in the name counts where none is given beside it."""
    name, digest = None, annotations.get(BASE_DIGEST, "")
    if text := annotations.get(BASE_NAME):
        try:
            name = parse_reference(text)
        except InvalidReference:
            name = None
    if not is_digest(digest):
        digest = name.digest or "" if name else ""
    return AnnotatedBase(name, Digest(digest) or None) if name or digest else None


def find_platform(value: object) -> Platform | None:
    """The platform of an index entry or a config, None where it says none.

    It is advice, so a wrong one is no error: what cannot be a platform's name is
    as good as nothing. An `os.version` that cannot be one says nothing of the rest.
    """
    found = members(value, _PLATFORM) if value is not None else None
    return platform_of(found) if found is not None else None


def platform_of(found: Members) -> Platform | None:
    """The platform from `os`, `architecture`, `variant` and `os.version`."""
    words: list[str] = []
    for name in ("os", "architecture", "variant", "os.version"):
        word = found.get(name)
        if word is None:
            word = ""
        if not isinstance(word, str) or _PLATFORM_WORD.fullmatch(word) is None:
            if name != "os.version":
                return None
            word = ""
        words.append(word)
    os, architecture, variant, os_version = words
    if not os or not architecture:
        return None
    return normalised(os, architecture, variant, os_version)


def find_media_type(value: object, where: str) -> str:
    """A media type that may be missing (then ""): at most 255 printable ASCII."""
    if isinstance(value, str) and _MEDIA_TYPE.fullmatch(value):
        return value
    if value is None or value == "":
        return ""
    raise invalid(f"{where} has something as its type that is no media type")


def invalid(why: str) -> DocumentError:
    """The error for a manifest that does not have the form of one."""
    return DocumentError(
        f"the manifest is not well-formed: {why}", code="invalid_manifest"
    )


def _members(value: object, where: str) -> Members:
    found = members(value, _DESCRIPTOR)
    if found is None:
        raise invalid(f"{where} is not an object")
    return found


def _media_type(found: Members, where: str) -> str:
    media_type = find_media_type(found.get("mediaType"), where)
    if not media_type:
        raise invalid(f"{where} has no mediaType")
    return media_type


def _digest(found: Members, where: str) -> Digest:
    try:
        return parse_digest(found.get("digest"))
    except DocumentError as exc:
        raise DocumentError(f"{where}: {exc.message}", code=exc.code) from exc


def _content_bytes(found: Members, where: str) -> int:
    size = found.get("size")
    # type(), as bool is an int for isinstance: true must not weigh one byte.
    if type(size) is int and 0 <= size <= limits.DESCRIPTOR_BYTES:
        return size
    raise DocumentError(
        f"{where}.size is not a whole number from 0 to {limits.DESCRIPTOR_BYTES}",
        code="invalid_size",
    )


def _annotated_uncompressed_bytes(annotations: Mapping[str, str]) -> int | None:
    for name in _UNCOMPRESSED_SIZE:
        text = annotations.get(name)
        if text is not None and _DECIMAL.fullmatch(text):
            claimed = int(text)
            if claimed <= limits.DESCRIPTOR_BYTES:
                return claimed
    return None
