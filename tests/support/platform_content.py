"""A repository of many tags, each of an index with images of two platforms and their
attestations, as BuildKit pushes them."""

from functools import cache
from typing import Final

from weighbridge.demo.content.stored_documents import (
    Attestation,
    ImageRecipe,
    Push,
    RecipeStep,
    Shelf,
    Variants,
)
from weighbridge.domain.image.platform import DEFAULT, Platform

PLATFORMS: Final = (DEFAULT, Platform("linux", "arm64"))
MANIFESTS_PER_INDEX: Final = 1 + 2 * len(PLATFORMS)
"""The index, an image a platform, and an attestation of each."""
_STATEMENTS: Final = (2_400, 6_100)


@cache
def platform_content(
    repository: str,
    tags: int = 1_000,
    tags_per_image: int = 10,
    *,
    is_rebuilt: bool = False,
) -> Shelf:
    """Tags `t0000`..., neighbours naming the same index. is_rebuilt: a hundredth of the
    tags have moved, each to an index of its own that is new"""
    pushes: list[Push] = []
    for first in range(0, tags, tags_per_image):
        names = [f"t{n:04d}" for n in range(first, min(tags, first + tags_per_image))]
        pushes.append(Push(repository, tuple(names), _variants(first)))
    moved = range(0, tags, 100) if is_rebuilt else ()
    pushes += [Push(repository, (f"t{n:04d}",), _variants(tags + n)) for n in moved]
    return Shelf(pushes)


def _variants(number: int) -> Variants:
    return Variants(tuple((_image(number, p), _attested()) for p in PLATFORMS))


def _attested() -> Attestation:
    return Attestation(_STATEMENTS)


def _image(number: int, platform: Platform) -> ImageRecipe:
    base = ImageRecipe(
        (RecipeStep("2026-01-05T08:00:00Z", "ADD rootfs.tar.xz /", 31_000_000, 7**9),),
        platform=platform,
    )
    own = RecipeStep(
        f"2026-{1 + number % 9:02d}-11T09:00:00Z",
        "COPY app /app",
        70_000 + number % 9_973,
        400_000,
        edition=str(number),
    )
    return ImageRecipe((own,), base=base, platform=platform)
