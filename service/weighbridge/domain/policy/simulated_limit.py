"""One limit on all repositories: which ones are worth a try, and whom one would add."""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from weighbridge.domain.policy.headroom import LimitOf, NewestSize, limiting
from weighbridge.domain.policy.policy import Match, Policy
from weighbridge.domain.policy.policy_set import PolicySet

THRESHOLDS: Final = 6
ONE_IN: Final = 4
"""The lowest threshold flags one repository in so many, at least."""
_ROUND: Final = (1, 2, 3, 4, 5, 6, 8)
"""The digits before the zeros of a round number."""


class Comparison(Struct, frozen=True):
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
) -> Comparison:
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
    return Comparison(_heaviest(more), _heaviest(fewer) if with_fewer else None)


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
