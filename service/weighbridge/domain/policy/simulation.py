"""Limits tried on what is known now: what they would flag, before they are set; which
ones are worth a try; and how much of its limit each newest image leaves."""

import heapq
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct

from weighbridge.domain.policy.policy import (
    LIMIT_KEYS,
    Finding,
    LimitedNumbers,
    LimitKey,
    Limits,
    Match,
    Policy,
    PolicySet,
    verdict,
)

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


THRESHOLDS: Final = 6
ONE_IN: Final = 4
"""The lowest threshold flags one repository in so many, at least."""
_ROUND: Final = (1, 2, 3, 4, 5, 6, 8)
"""The digits before the zeros of a round number."""


class LimitEffect(Struct, frozen=True):
    """A limit for all against the limits in force, on the newest images.

    more:  over it, and now over none; the heaviest first
    fewer: over their limit now, and not over it; None: that was not looked at
    """

    more: tuple[NewestSize, ...]
    fewer: tuple[NewestSize, ...] | None


def thresholds(upper: int, heaviest: int) -> tuple[int, ...]:
    """Round numbers of bytes, one after the other, from the last below `upper` to the
    first that nobody exceeds; six at most.

    upper:    the size that one in four reaches
    heaviest: the largest size of all
    """
    found: list[int] = []
    threshold = _round_below(upper)
    while len(found) < THRESHOLDS:
        found.append(threshold)
        if threshold >= heaviest:
            break
        threshold = _next_round(threshold)
    return tuple(found)


def present_limit(policies: PolicySet) -> int | None:
    """The limit of the policy that is about everything; where there is none of these,
    of the first one that sets a limit. None: no policy does."""
    setting = limiting(policies)
    chosen = [policy for policy in setting if policy.match == Match()] or setting
    return chosen[0].limits.max_compressed_bytes if chosen else None


def setters(policies: PolicySet, limit_bytes: int) -> tuple[Policy, ...]:
    """The policies that set this limit."""
    return tuple(
        policy
        for policy in limiting(policies)
        if policy.limits.max_compressed_bytes == limit_bytes
    )


def suggestion(tried: Sequence[int], present: int | None) -> int | None:
    """The limit to begin with: the next below the one in force; where none is, the
    one in the middle. None: there is nothing to try it on."""
    if not tried:
        return None
    if present is None:
        return tried[len(tried) // 2]
    return max((limit for limit in tried if limit < present), default=present)


def compare(
    limit_bytes: int,
    sizes: Iterable[NewestSize],
    limit: LimitOf,
    *,
    with_fewer: bool = True,
) -> LimitEffect:
    """Whom the limit would flag in place of those that hold now.

    with_fewer: whether the sizes hold all that are over a limit now
    """
    more: list[NewestSize] = []
    fewer: list[NewestSize] = []
    for size in sizes:
        own = limit(size)
        is_over = own is not None and size.compressed_bytes > own
        would_be = size.compressed_bytes > limit_bytes
        if would_be and not is_over:
            more.append(size)
        elif is_over and not would_be:
            fewer.append(size)
    return LimitEffect(_heaviest(more), _heaviest(fewer) if with_fewer else None)


def _heaviest(sizes: Iterable[NewestSize]) -> tuple[NewestSize, ...]:
    return tuple(
        sorted(sizes, key=lambda s: (-s.compressed_bytes, s.registry, s.repository))
    )


def _round_below(number: int) -> int:
    """The largest round number below; of 1 and less 1, since a limit is never 0."""
    if number <= 1:
        return 1
    power: int = 10 ** (len(str(number - 1)) - 1)
    return power * max(digit for digit in _ROUND if digit * power < number)


def _next_round(number: int) -> int:
    """The round number after this one."""
    power: int = 10 ** (len(str(number)) - 1)
    digits = (digit for digit in (*_ROUND, 10) if digit * power > number)
    return power * min(digits)


class SimulatedImage(Struct, frozen=True):
    """The newest image of a repository; None: it has none.

    is_estimate: its uncompressed bytes are one
    image_id:    as the database numbers it
    """

    registry: str
    repository: str
    tag: str | None
    platform: str | None
    measured: LimitedNumbers
    is_estimate: bool = False
    image_id: int | None = None


class Flagged(Struct, frozen=True):
    """A limit that a repository would exceed."""

    image: SimulatedImage
    finding: Finding

    @property
    def share(self) -> float:
        """How much of the limit it is; 1 is all of it."""
        return (self.finding.amount or 0) / max(self.finding.limit_amount, 1)


class Simulation(Struct, frozen=True):
    """What limits would flag.

    flagged:      the worst first
    repositories: how many were held against the limits
    exceeding:    how many of these exceed one at least
    by_key:       how many exceed this limit, for each limit that is set
    unknown:      of how many it cannot be said, because a size is not known
    """

    limits: Limits
    flagged: tuple[Flagged, ...]
    repositories: int
    exceeding: int
    by_key: Mapping[LimitKey, int]
    unknown: Mapping[LimitKey, int]


def keys_of(limits: Limits) -> tuple[LimitKey, ...]:
    """The limits that are set."""
    return tuple(key for key in LIMIT_KEYS if limits.by_key[key] is not None)


def simulate_limits(limits: Limits, images: Iterable[SimulatedImage]) -> Simulation:
    """Hold every image against the limits, and its repository."""
    flagged: list[Flagged] = []
    by_key: Counter[LimitKey] = Counter()
    unknown: Counter[LimitKey] = Counter()
    repositories = exceeding = 0
    for image in images:
        repositories += 1
        findings = verdict(limits, image.measured)
        over = [finding for finding in findings if finding.keeping == "over"]
        flagged += [Flagged(image, finding) for finding in over]
        by_key.update(finding.key for finding in over)
        unknown.update(_unknown(image, findings))
        exceeding += bool(over)
    flagged.sort(
        key=lambda f: (-f.share, f.image.registry, f.image.repository, f.finding.key)
    )
    keys = keys_of(limits)
    return Simulation(
        limits=limits,
        flagged=tuple(flagged),
        repositories=repositories,
        exceeding=exceeding,
        by_key={key: by_key[key] for key in keys},
        unknown={key: unknown[key] for key in keys if unknown[key]},
    )


def _unknown(image: SimulatedImage, findings: Iterable[Finding]) -> list[LimitKey]:
    """A repository without an image has nothing that could be unknown."""
    if image.measured.compressed_bytes is None:
        return []
    return [finding.key for finding in findings if finding.keeping == "unknown"]
