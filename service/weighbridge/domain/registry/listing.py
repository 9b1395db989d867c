"""What a registry's listings say: pages of repositories and of tags."""

from dataclasses import dataclass
from datetime import datetime

from weighbridge.domain.image.digest import Digest


@dataclass(frozen=True, slots=True)
class TagSeen:
    """One tag of a listing. Plain /v2 gives the name only; None is `not said`.

    sizes: compressed bytes that the listing names for images of the tag, each by the
           digest of its manifest: a hint, which is compared and never believed
    """

    name: str
    digest: Digest | None = None
    pushed_at: datetime | None = None
    sizes: tuple[tuple[Digest, int], ...] = ()


@dataclass(frozen=True, slots=True)
class TagPage:
    """tags: well-formed ones; invalid: how many entries were not tags at all."""

    tags: tuple[TagSeen, ...]
    invalid: int = 0


@dataclass(frozen=True, slots=True)
class RepositoryListing:
    """names: well-formed ones; invalid: how many entries were no names."""

    names: tuple[str, ...]
    invalid: int = 0
