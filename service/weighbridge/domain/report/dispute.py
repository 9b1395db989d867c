"""A claim about a size that the registry contradicts: a row for every face."""

from datetime import datetime
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from weighbridge.domain.image.digest import Digest

Source: TypeAlias = Literal["manifest", "bulk"]
"""Who claims: a manifest, or the listing of a registry's own API, which is a hint."""

SOURCES: Final[tuple[Source, ...]] = ("manifest", "bulk")


class DisputeReport(Struct, frozen=True):
    """One claim of one image or artifact that a repository has now.

    tags:           that lead to it, at most ten of them
    image:          the digest of the manifest whose claim it is
    digest:         of the blob; of a listing's size that of the image itself
    registry_bytes: what the registry says; it is what is judged
    seen_at:        when the contradiction was first seen
    """

    registry: str
    repository: str
    tags: tuple[str, ...]
    image: Digest
    digest: Digest
    claimed_bytes: int
    registry_bytes: int
    source: Source
    seen_at: datetime
