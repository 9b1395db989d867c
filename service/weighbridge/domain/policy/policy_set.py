"""All policies in their order, asked for a hundred thousand repositories at once."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from weighbridge.domain.policy.policy import (
    DEFAULT_POLICY,
    STANDING,
    Decided,
    Limits,
    Policy,
    decide,
    fits_repository,
    is_matched,
    limits_of,
)

_KEPT: Final = 10_000
"""Different sets of matching policies whose limits are remembered."""


class PolicySet:
    """The policies in force. It never changes: a reload makes another one.

    A policy is only tried on names that begin with its pattern's text before the
    first `*`; where there is none, on those that have its longest text somewhere. So
    three hundred teams' policies cost as much as those few that can fit.
    """

    def __init__(self, policies: Iterable[Policy] = ()) -> None:
        self.policies: Final[Sequence[Policy]] = tuple(policies)
        self._by_start: dict[str, list[int]] = {}
        self._by_part: list[tuple[int, str]] = []
        for number, policy in enumerate(self.policies):
            start, *others = policy.match.repository.split("*")
            if start:
                self._by_start.setdefault(start, []).append(number)
            else:
                self._by_part.append((number, max(others, key=len, default="")))
        self._lengths = sorted({len(start) for start in self._by_start})
        self._limits: dict[tuple[int, ...], Limits] = {}
        self._marks: dict[tuple[int, ...], str] = {}

    def limits_of(self, registry: str, repository: str, tag: str) -> Limits:
        """What holds for an image; tag: "" where there is none."""
        numbers = self._matching(registry, repository, tag)
        found = self._limits.get(numbers)
        if found is None:
            if len(self._limits) >= _KEPT:
                self._limits.clear()
            found = limits_of([self.policies[number] for number in numbers])
            self._limits[numbers] = found
        return found

    def mark_of(self, registry: str, repository: str) -> str:
        """A text that is another one wherever a repository's tags may stand over other
        limits; "" where none of them has a limit of that kind."""
        numbers = tuple(
            number
            for number in self.candidates(repository)
            if fits_repository(self.policies[number].match, registry, repository)
        )
        found = self._marks.get(numbers)
        if found is None:
            found = _mark([self.policies[number] for number in numbers])
            self._marks[numbers] = found
        return found

    def explain(self, registry: str, repository: str, tag: str) -> tuple[Decided, ...]:
        """The same, key by key, each with the policy that decided."""
        numbers = self._matching(registry, repository, tag)
        return decide([self.policies[number] for number in numbers])

    def candidates(self, repository: str) -> list[int]:
        """The numbers of the policies that are worth a try, in their order."""
        found = [
            number
            for length in self._lengths
            if length <= len(repository)
            for number in self._by_start.get(repository[:length], ())
        ]
        found += [number for number, part in self._by_part if part in repository]
        found.sort()
        return found

    def _matching(self, registry: str, repository: str, tag: str) -> tuple[int, ...]:
        """The numbers of the policies that match, in their order."""
        return tuple(
            number
            for number in self.candidates(repository)
            if is_matched(self.policies[number].match, registry, repository, tag)
        )


def _mark(policies: Sequence[Policy]) -> str:
    if not any(policy.limits.by_key[key] for policy in policies for key in STANDING):
        return ""
    said = [(p.name, p.match.tag, p.limits, sorted(p.places)) for p in policies]
    return hashlib.sha256(repr(said).encode("utf-8", "surrogatepass")).hexdigest()[:32]


NO_POLICIES: Final = PolicySet()
"""Nothing has a limit."""
DEFAULT_POLICIES: Final = PolicySet([DEFAULT_POLICY])


def policy_set(policies: Sequence[Policy]) -> PolicySet:
    """These policies; the default one where there are none."""
    return PolicySet(policies) if policies else DEFAULT_POLICIES
