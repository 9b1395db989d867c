"""What a registry's listings say: pages of repositories and of tags."""

from dataclasses import dataclass
from datetime import datetime

from weighbridge.domain.digest import Digest


@dataclass(frozen=True, slots=True)
class TagSeen:
    """One tag of a listing. Plain /v2 gives the name only; None is `not said`."""

    name: str
    digest: Digest | None = None
    compressed_bytes: int | None = None
    pushed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TagPage:
    """tags: well-formed ones; invalid: how many entries were not tags at all."""

    tags: tuple[TagSeen, ...]
    invalid: int = 0


@dataclass(frozen=True, slots=True)
class RepositoryPage:
    """names: well-formed ones; invalid: how many entries were no names."""

    names: tuple[str, ...]
    invalid: int = 0
