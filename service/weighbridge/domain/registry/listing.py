"""What a registry's listings say: pages of repositories and of tags."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from weighbridge.domain.image.digest import Digest

MASS: Final = 10
"""More tags, or repositories, than this, and more than half: a second crawl must
agree."""


class TagSeen(Struct, frozen=True):
    """One tag of a listing. Plain /v2 gives the name only; None is `not said`.

    sizes: compressed bytes that the listing names for images of the tag, each by the
           digest of its manifest: a hint, which is compared and never believed
    """

    name: str
    digest: Digest | None = None
    pushed_at: datetime | None = None
    sizes: tuple[tuple[Digest, int], ...] = ()


class TagPage(Struct, frozen=True):
    """tags: well-formed ones; invalid: how many entries were not tags at all."""

    tags: tuple[TagSeen, ...]
    invalid: int = 0


class RepositoryListing(Struct, frozen=True):
    """names: well-formed ones; invalid: how many entries were no names."""

    names: tuple[str, ...]
    invalid: int = 0


def is_mass(absent: int, live: int) -> bool:
    """Whether so many of so many cannot be believed to have been deleted at once."""
    return absent > MASS and absent * 2 > live


def is_explained(
    listed_bytes: int, layers: Sequence[tuple[Digest, int]], config_bytes: int
) -> bool:
    """Whether a listing's size is what these layers make.

    listed_bytes: as the listing names it
    layers:       digest and compressed bytes of every layer, repeated ones too
    config_bytes: length of the image's config
    """
    once = sum(dict(layers).values())
    each = sum(length for _, length in layers)
    return listed_bytes - once in (0, config_bytes) or listed_bytes - each in (
        0,
        config_bytes,
    )
