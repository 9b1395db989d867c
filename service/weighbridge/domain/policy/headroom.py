"""How much of its limit the newest image of a repository leaves."""

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cache
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct

from weighbridge.domain.policy.policy import Policy
from weighbridge.domain.policy.policy_set import PolicySet

NEAR: Final = 90
"""From this percentage of its limit on, an image is near it."""
FLOORS: Final = (99, NEAR, 50, 20, 5, 0)
"""Percentages of a limit, down to which the nearest are looked for in turn: few
repositories are read where many are near."""
_SPANS: Final = 100
_PATTERNS: Final = 30


class NewestSize(NamedTuple):
    """The newest image of a repository, as much of it as `max_compressed` is about."""

    registry: str
    repository: str
    tag: str
    compressed_bytes: int


Span: TypeAlias = tuple[int, int]
"""From how many bytes to how many, both included."""
LimitOf: TypeAlias = Callable[[NewestSize], int | None]
"""The limit that holds for a repository; None: it has none."""


class Headroom(Struct, frozen=True):
    """A newest image that keeps its limit; one of exactly its limit keeps it."""

    size: NewestSize
    limit_bytes: int

    @property
    def left_bytes(self) -> int:
        """What it may gain."""
        return self.limit_bytes - self.size.compressed_bytes

    @property
    def share(self) -> float:
        """How much of the limit it is; 1 is all of it."""
        return self.size.compressed_bytes / max(self.limit_bytes, 1)

    @property
    def is_near(self) -> bool:
        """Whether little is left."""
        return self.is_from(NEAR)

    def is_from(self, percent: int) -> bool:
        """Whether it is at least so much of its limit."""
        return self.size.compressed_bytes * 100 >= self.limit_bytes * percent


def limiting(policies: PolicySet) -> tuple[Policy, ...]:
    """The policies that set `max_compressed`, in their order."""
    return tuple(
        policy
        for policy in policies.policies
        if policy.limits.max_compressed_bytes is not None
    )


def limits_in(policies: PolicySet) -> frozenset[int]:
    """Every `max_compressed` that is set, in bytes."""
    found = (policy.limits.max_compressed_bytes for policy in policies.policies)
    return frozenset(limit for limit in found if limit is not None)


def limit_of(policies: PolicySet) -> LimitOf:
    """Asks the policies."""

    def ask(size: NewestSize) -> int | None:
        registry, repository, tag, _ = size
        return policies.limits_of(registry, repository, tag).max_compressed_bytes

    return ask


def patterns_of(policies: PolicySet) -> frozenset[str]:
    """One of these fits the name of every repository that has a limit. Empty: that
    says nothing, since any name may have one, or there are too many of them."""
    found = frozenset(policy.match.repository for policy in limiting(policies))
    return frozenset() if "*" in found or len(found) > _PATTERNS else found


def nearest(
    read: Callable[[Sequence[Span]], Iterable[NewestSize]],
    limits: Collection[int],
    limit: LimitOf,
    most: int,
) -> tuple[Headroom, ...]:
    """Those that are the largest part of their limit and keep it, largest first.

    read:   the newest images whose size is in one of these spans
    limits: every limit that there is; `limit` gives one of them, or None
    """
    if not limits:
        return ()
    limit = cache(limit)  # Each floor reads again what the one above it has read.
    found: list[Headroom] = []
    for floor in FLOORS:
        ranked = _ranked(read(spans(limits, floor)), limit)
        found = [Headroom(size, own) for _, size, own in heapq.nsmallest(most, ranked)]
        # All that are so much of their limit were read, and these are the first.
        if len(found) == most and found[-1].is_from(floor):
            break
    return tuple(found)


def spans(limits: Collection[int], percent: int) -> tuple[Span, ...]:
    """Where the sizes lie that are at least so much of one of the limits, and keep
    it; where there are many limits, somewhat more than that."""
    merged: list[Span] = []
    for low, high in sorted((limit * percent // 100, limit) for limit in limits):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    if len(merged) > _SPANS:
        return ((merged[0][0], merged[-1][1]),)
    return tuple(merged)


def _ranked(
    sizes: Iterable[NewestSize], limit: LimitOf
) -> Iterator[tuple[float, NewestSize, int]]:
    """Those that keep their limit, with what they are sorted by."""
    for size in sizes:
        own = limit(size)
        if own is not None and size.compressed_bytes <= own:
            yield -size.compressed_bytes / max(own, 1), size, own
