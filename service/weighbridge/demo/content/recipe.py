"""How the demo's images are written down: steps with figures, one after another."""

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


class LayerFigure(Struct, frozen=True):
    """What one step added: bytes in the registry, bytes of its tar.

    edition: told apart from other layers of the same text; a rebuild has a new one
    """

    compressed_bytes: int
    uncompressed_bytes: int
    packing: Packing = "gzip"
    edition: str = ""


class RecipeStep(Struct, frozen=True):
    """One Dockerfile instruction and its layer; `at` is ISO 8601 in UTC."""

    at: str
    instruction: str
    layer: LayerFigure | None = None


class ImageRecipe(Struct, frozen=True):
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


class Variants(Struct, frozen=True):
    """An index: images of several platforms, each with its attestation or None."""

    members: tuple[tuple[ImageRecipe, Attestation | None], ...]
    style: Style = "oci"

    @property
    def created_at(self) -> datetime:
        return max(image.created_at for image, _ in self.members)


class Chart(Struct, frozen=True):
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


def step(
    at: str,
    instruction: str,
    compressed_bytes: int = 0,
    uncompressed_bytes: int = 0,
    *,
    packing: Packing = "gzip",
    edition: str = "",
) -> RecipeStep:
    """A step; without figures it made no layer."""
    if not compressed_bytes:
        return RecipeStep(at, instruction)
    figure = LayerFigure(compressed_bytes, uncompressed_bytes, packing, edition)
    return RecipeStep(at, instruction, figure)
