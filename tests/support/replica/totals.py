"""The totals of a registry, as brute force and arithmetic both give them."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RepositoryTotals:
    """deduplicated_bytes: distinct blobs that its tags reach, documents included
    exclusive_bytes:    those that no other repository of its scope reaches
    referenced_bytes:   the same for each tag alone, a blob once an image, summed up
    weighed_bytes:      distinct layers of each distinct image, foreign ones included
    """

    tags: int
    images: int
    deduplicated_bytes: int
    exclusive_bytes: int
    referenced_bytes: int
    weighed_bytes: int

    @property
    def shared_bytes(self) -> int:
        return self.deduplicated_bytes - self.exclusive_bytes


@dataclass(frozen=True, slots=True)
class ScopeTotals:
    """shared_bytes: blobs that at least two of its repositories reach."""

    deduplicated_bytes: int
    shared_bytes: int


@dataclass(frozen=True, slots=True)
class RegistryTotals:
    """An image that several repositories reach counts once in `images` and
    `weighed_bytes`; a registry without scopes has one with an empty name."""

    images: int
    weighed_bytes: int
    scopes: Mapping[str, ScopeTotals]
    repositories: Mapping[str, RepositoryTotals]

    @property
    def tags(self) -> int:
        return sum(r.tags for r in self.repositories.values())

    @property
    def deduplicated_bytes(self) -> int:
        return sum(scope.deduplicated_bytes for scope in self.scopes.values())

    @property
    def shared_bytes(self) -> int:
        return sum(scope.shared_bytes for scope in self.scopes.values())
