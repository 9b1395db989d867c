"""What a registry's listings say: pages of repositories and of tags."""

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
