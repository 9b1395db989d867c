"""What the demo's registry keeps: recipes made into JSON documents, and the blobs that
these name; and a shelf of pushes, as its server asks for them.

An image is a manifest, its config and its layers; an index has images of several
platforms, and the attestations beside them; a chart is an artifact.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Final, Literal, Protocol, TypeAlias

from msgspec import Struct

from weighbridge.demo.content.virtual_blobs import Blob, Packing, make_blob, whole_blob
from weighbridge.domain.image import media_types
from weighbridge.domain.image.digest import Digest, digest_of
from weighbridge.domain.image.platform import DEFAULT, Platform

Dialect: TypeAlias = Literal["classic", "buildkit"]
"""Which builder's wording the config's history has."""

Style: TypeAlias = Literal["docker", "oci"]
"""Whose media types the manifest has: Docker's schema 2 or OCI's."""


class RecipeStep(Struct, frozen=True, array_like=True):
    """One Dockerfile instruction and what it added.

    at:      ISO 8601 in UTC
    compressed_bytes: in the registry; 0: it made no layer
    uncompressed_bytes: of its tar
    edition: told apart from other layers of the same text; a rebuild has a new one
    """

    at: str
    instruction: str
    compressed_bytes: int = 0
    uncompressed_bytes: int = 0
    packing: Packing = "gzip"
    edition: str = ""


class ImageRecipe(Struct, frozen=True, tag_field="kind", tag="image"):
    """One platform's image: its own steps on those of its base."""

    steps: tuple[RecipeStep, ...]
    base: "ImageRecipe | None" = None
    dialect: Dialect = "buildkit"
    style: Style = "oci"
    platform: Platform = DEFAULT

    @property
    def created_at(self) -> datetime:
        return datetime.fromisoformat(self.steps[-1].at)

    def all_steps(self) -> Iterator[tuple[RecipeStep, Dialect]]:
        """Base first, each step with the wording of the builder that ran it."""
        if self.base is not None:
            yield from self.base.all_steps()
        for step in self.steps:
            yield step, self.dialect


class Attestation(Struct, frozen=True):
    """Provenance and SBOM beside an image; `is_legacy` pretends to be an image."""

    statements: tuple[int, ...]
    """Bytes of each in-toto statement."""
    is_legacy: bool = True


class Variants(Struct, frozen=True, tag_field="kind", tag="index"):
    """An index: images of several platforms, each with its attestation or None."""

    members: tuple[tuple[ImageRecipe, Attestation | None], ...]
    style: Style = "oci"

    @property
    def created_at(self) -> datetime:
        return max(image.created_at for image, _ in self.members)


class Chart(Struct, frozen=True, tag_field="kind", tag="chart"):
    """A Helm chart: an artifact in a registry, and no image."""

    name: str
    version: str
    content_bytes: int
    at: str

    @property
    def created_at(self) -> datetime:
        return datetime.fromisoformat(self.at)


Item: TypeAlias = ImageRecipe | Variants | Chart


class Push(Struct, frozen=True):
    """These tags of a repository name this item from `created_at` on."""

    repository: str
    tags: tuple[str, ...]
    item: Item


class Figures(Struct, frozen=True):
    """All pushes.

    standing: there from the first crawl on
    moving:   pushed in the course of the year, each when its image was made
    """

    standing: tuple[Push, ...]
    moving: tuple[Push, ...]


MANIFEST: Final[Mapping[Style, str]] = {
    "docker": media_types.DOCKER_MANIFEST,
    "oci": media_types.OCI_MANIFEST,
}
INDEX: Final[Mapping[Style, str]] = {
    "docker": media_types.DOCKER_LIST,
    "oci": media_types.OCI_INDEX,
}
CONFIG: Final[Mapping[Style, str]] = {
    "docker": media_types.DOCKER_CONFIG,
    "oci": media_types.OCI_CONFIG,
}
_DOCKER: Final = "application/vnd.docker.image.rootfs.diff.tar"
_OCI: Final = "application/vnd.oci.image.layer.v1.tar"
LAYER: Final = {
    ("docker", "gzip"): f"{_DOCKER}.gzip",
    ("docker", "zstd"): f"{_DOCKER}.zstd",
    ("docker", "tar"): _DOCKER,
    ("oci", "gzip"): f"{_OCI}+gzip",
    ("oci", "zstd"): f"{_OCI}+zstd",
    ("oci", "tar"): _OCI,
}


class Served(Struct, frozen=True):
    """A manifest as it goes over the wire."""

    content: bytes
    media_type: str
    digest: Digest


class StoredPush(Struct, frozen=True):
    """What one push puts into a repository.

    manifests: the one that the tags name, and all below it
    """

    manifests: tuple[Served, ...]
    blobs: Mapping[Digest, Blob]

    @property
    def top(self) -> Served:
        return self.manifests[0]


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


@cache
def stored_push(item: Item) -> StoredPush:
    """What a push of this puts into a repository."""
    if isinstance(item, ImageRecipe):
        return build_image(item)
    if isinstance(item, Variants):
        return build_index(item)
    return build_chart(item)


_SHELL: Final = "/bin/sh -c "
_DEBUERREOTYPE: Final = "# debian.sh"


def created_by(instruction: str, dialect: Dialect) -> tuple[str, str]:
    """`created_by` and `comment` for an instruction such as `RUN make` or `ENV A=b`.

    classic:  /bin/sh -c #(nop)  ENV A=b;  /bin/sh -c make
    buildkit: ENV A=b;  RUN /bin/sh -c make # buildkit
    """
    if instruction.startswith(_DEBUERREOTYPE):
        return instruction, "debuerreotype 0.16"
    word, _, rest = instruction.partition(" ")
    if dialect == "classic":
        return _classic(word, rest), ""
    return _buildkit(word, rest), "buildkit.dockerfile.v0"


def _classic(word: str, rest: str) -> str:
    if word == "RUN":
        return _SHELL + rest
    if word in ("ADD", "COPY"):
        return f"{_SHELL}#(nop) {word} {rest} "
    if word == "WORKDIR":
        return f"{_SHELL}#(nop) {word} {rest}"
    return f"{_SHELL}#(nop)  {word} {rest}"


def _buildkit(word: str, rest: str) -> str:
    if word == "RUN":
        return f"RUN {_SHELL}{rest} # buildkit"
    if word in ("ADD", "COPY"):
        return f"{word} {rest} # buildkit"
    return f"{word} {rest}"


@cache
def build_image(recipe: ImageRecipe) -> StoredPush:
    """One platform's image; made once, the same bytes in every process."""
    layers: list[Blob] = []
    descriptors: list[dict[str, object]] = []
    for step, _ in recipe.all_steps():
        if not step.compressed_bytes:
            continue
        layers.append(_layer(step, recipe.platform.architecture))
        media_type = LAYER[recipe.style, step.packing]
        descriptors.append(descriptor(layers[-1], media_type))
    config = whole_blob(_config(recipe, layers))
    manifest = as_served(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST[recipe.style],
            "config": descriptor(config, CONFIG[recipe.style]),
            "layers": descriptors,
        },
        MANIFEST[recipe.style],
    )
    blobs = {blob.digest: blob for blob in (config, *layers)}
    return StoredPush((manifest,), blobs)


@cache
def _layer(step: RecipeStep, architecture: str) -> Blob:
    # The same step of the same build is the same blob in every image above it.
    name = f"{architecture} {step.at} {step.instruction} {step.edition}"
    return make_blob(name, step.packing, step.compressed_bytes, step.uncompressed_bytes)


def _config(recipe: ImageRecipe, layers: list[Blob]) -> bytes:
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
    return as_json(document)


def _history(step: RecipeStep, dialect: Dialect) -> dict[str, object]:
    text, comment = created_by(step.instruction, dialect)
    entry: dict[str, object] = {"created": step.at, "created_by": text}
    if comment:
        entry["comment"] = comment
    if not step.compressed_bytes:
        entry["empty_layer"] = True
    return entry


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
    return StoredPush((top, *manifests), blobs)


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
        document["artifactType"] = media_types.ATTESTATION
        document["config"] = descriptor(config, media_types.OCI_EMPTY)
        document["subject"] = manifest_descriptor(subject)
    document["layers"] = _statement_layers(statements)
    top = as_served(document, MANIFEST["oci"])
    blobs = {blob.digest: blob for blob in (config, *statements)}
    return StoredPush((top,), blobs)


def _statement_layers(statements: Sequence[Blob]) -> list[dict[str, object]]:
    # One statement alone is the provenance; an SBOM is only ever the first of two.
    kinds = (_SBOM, _PROVENANCE)[-len(statements) :]
    return [
        {
            **descriptor(blob, media_types.IN_TOTO),
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


def build_chart(chart: Chart) -> StoredPush:
    """A chart as helm pushes it: a manifest whose config is no image's."""
    about = {"name": chart.name, "version": chart.version, "apiVersion": "v2"}
    config = whole_blob(as_json(about))
    content = make_blob(f"{chart.name} {chart.version}", "gzip", chart.content_bytes)
    helm = "application/vnd.cncf.helm"
    manifest = as_served(
        {
            "schemaVersion": 2,
            "config": descriptor(config, f"{helm}.config.v1+json"),
            "layers": [descriptor(content, f"{helm}.chart.content.v1.tar+gzip")],
            "annotations": {"org.opencontainers.image.created": chart.at},
        },
        MANIFEST["oci"],
    )
    blobs = {config.digest: config, content.digest: content}
    return StoredPush((manifest,), blobs)


class RegistryContent(Protocol):
    """Everything that a read-only registry can be asked for.

    Listings are sorted sequences and may be computed item by item: the server
    takes slices and searches them, it never walks one from end to end.
    """

    def repositories(self) -> Sequence[str]:
        """Every repository's name."""

    def tags(self, repository: str) -> Sequence[str] | None:
        """A repository's tags; None where there is no such repository."""

    def manifest(self, repository: str, reference: str) -> Served | None:
        """By tag or digest; None where the repository has no such manifest."""

    def blob(self, repository: str, digest: str) -> Blob | None:
        """A config or layer; None where the repository has no such blob."""


class Shelf:
    """The content after these pushes, in order: a later push moves its tags."""

    def __init__(self, pushes: Iterable[Push]) -> None:
        self._manifests: dict[str, dict[str, Served]] = {}
        self._blobs: dict[str, dict[Digest, Blob]] = {}
        self._tags: dict[str, set[str]] = {}
        for push in pushes:
            self._keep(push)
        self._listings = {name: sorted(tags) for name, tags in self._tags.items()}
        self._repositories = sorted(self._listings)

    def _keep(self, push: Push) -> None:
        item = stored_push(push.item)
        manifests = self._manifests.setdefault(push.repository, {})
        # What a moved tag named before stays under its digest, as in a registry
        # whose garbage nobody collects.
        manifests.update((served.digest, served) for served in item.manifests)
        manifests.update((tag, item.top) for tag in push.tags)
        self._blobs.setdefault(push.repository, {}).update(item.blobs)
        self._tags.setdefault(push.repository, set()).update(push.tags)

    def repositories(self) -> Sequence[str]:
        return self._repositories

    def tags(self, repository: str) -> Sequence[str] | None:
        return self._listings.get(repository)

    def manifest(self, repository: str, reference: str) -> Served | None:
        return self._manifests.get(repository, {}).get(reference)

    def blob(self, repository: str, digest: str) -> Blob | None:
        return self._blobs.get(repository, {}).get(Digest(digest))
