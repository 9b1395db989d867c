"""Little content for the replica: a repository of three pages of tags, and a small one
in each of two namespaces."""

from functools import cache
from typing import Final

from weighbridge.demo.content.stored_documents import (
    ImageRecipe,
    Push,
    RecipeStep,
    Shelf,
)

LARGE: Final = "library/python"
SMALL: Final = ("library/debian", "tutorial/app")
LARGE_TAGS: Final = tuple(f"t{n:03}" for n in range(250))
"""In the order in which Quay lists them, as they are of one moment."""


@cache
def three_repositories() -> Shelf:
    pushes = [Push(LARGE, LARGE_TAGS, _image(LARGE))]
    pushes += [Push(name, ("1", "latest"), _image(name)) for name in SMALL]
    return Shelf(pushes)


def _image(edition: str) -> ImageRecipe:
    step = RecipeStep(
        "2026-01-05T08:00:00Z", "ADD rootfs /", 80_000, 7**7, edition=edition
    )
    return ImageRecipe((step,))
