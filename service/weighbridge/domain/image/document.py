"""What a registry's manifests say, as values: the results of our parsers.

A `Document` is anything that a manifest URL can answer with. It is immutable and
named by its digest; `domain.image.manifest` makes it from raw bytes,
`domain.image.image_config` joins a manifest with its config. What a document has by the
dozen is a named tuple: it is made in a quarter of the time of a frozen dataclass.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, NamedTuple, TypeAlias

from msgspec import Struct, field

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.platform import Platform

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


class Manifest(Struct, frozen=True):
    """An image's manifest (schema 2 or OCI), before its config is known."""

    digest: Digest
    media_type: str
    manifest_bytes: int
    config: Descriptor
    layers: tuple[Layer, ...]


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
    """

    digest: Digest
    media_type: str
    manifest_bytes: int
    artifact_type: str
    role: Role
    config: Descriptor | None
    blobs: tuple[Layer, ...]
    may_be: Manifest | None = None

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

    created_by: untouched text; never stored or shown, see `domain.image.history`
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
