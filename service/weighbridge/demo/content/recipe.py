"""How the demo's images are written down in `figures.yaml`: steps with figures, one
after another."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from weighbridge.demo.content.virtual_blobs import Packing
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
