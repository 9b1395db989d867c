"""When which fault happens: rules, hooks and counts of a `FaultProxy`.

What chance decides depends on the seed and on the request (its rule, method, target
and attempt), not on the order in which requests that run side by side arrive: the
same seed spoils the same requests.
"""

import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from support.faults import Asked, Delay, Fault, Kind

_KINDS: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(r"/v2/_catalog(\?|$)"), "catalog"),
    (re.compile(r"/v2/.+/tags/list(\?|$)"), "tags"),
    (re.compile(r"/v2/.+/manifests/[^/]+$"), "manifest"),
    (re.compile(r"/v2/.+/blobs/[^/]+$"), "blob"),
    (re.compile(r"/token(\?|$)"), "token"),
)


def kind_of(target: str) -> Kind:
    """What a request asks for, by its path."""
    return next((kind for form, kind in _KINDS if form.match(target)), "other")


@dataclass(frozen=True, slots=True)
class When:
    """Which requests. Everything that is said must hold.

    kind, method: as they are; None for any
    target:       is found in path and query
    since, until: numbers of requests, both included
    attempts:     only the first so many of the same method and target
    every:        each n-th of the requests for which all of the above holds
    chance:       0 to 1
    times:        so often at most
    """

    kind: Kind | None = None
    method: str | None = None
    target: str | re.Pattern[str] = ""
    since: int = 1
    until: int | None = None
    attempts: int | None = None
    every: int = 1
    chance: float = 1.0
    times: int | None = None

    def fits(self, asked: Asked) -> bool:
        """Whether the request is meant; `every`, `chance` and `times` come later."""
        return (
            self.kind in (None, asked.kind)
            and self.method in (None, asked.method)
            and re.search(self.target, asked.target) is not None
            and asked.number >= self.since
            and (self.until is None or asked.number <= self.until)
            and (self.attempts is None or asked.attempt <= self.attempts)
        )


@dataclass(slots=True)
class Rule:
    """A fault and when it happens.

    fitting: requests that were meant
    hits:    requests that were spoilt
    """

    fault: Fault
    when: When
    fitting: int = 0
    hits: int = 0

    def strikes(self, asked: Asked, chance: Callable[[], float]) -> bool:
        when = self.when
        if not when.fits(asked) or (when.times is not None and self.hits >= when.times):
            return False
        self.fitting += 1
        if self.fitting % when.every or chance() >= when.chance:
            return False
        self.hits += 1
        return True


@dataclass(slots=True)
class Hook:
    """Called once, before the first request that is meant is passed on."""

    call: Callable[[], object]
    when: When
    is_done: bool = False


@dataclass(slots=True)
class Plan:
    """Rules in their order, hooks, and counts. Safe to change while requests come.

    asked:  requests by kind
    spoilt: requests by the name of the fault
    """

    seed: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    spoilt: Counter[str] = field(default_factory=Counter)
    _rules: list[Rule] = field(default_factory=list)
    _hooks: list[Hook] = field(default_factory=list)
    _attempts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _number: int = 0
    _lock: Lock = field(default_factory=Lock)

    @property
    def requests(self) -> int:
        """So many have come."""
        return self._number

    def attempts(self, method: str, target: str) -> int:
        """How often this was asked."""
        return self._attempts[method, target]

    @property
    def most_attempts(self) -> int:
        """How often the same thing was asked at most; tokens aside, which end."""
        counts = (
            count
            for (_, target), count in self._attempts.items()
            if kind_of(target) != "token"
        )
        return max(counts, default=0)

    def spoil(self, fault: Fault, when: When) -> Rule:
        with self._lock:
            rule = Rule(fault, when)
            self._rules.append(rule)
            return rule

    def heal(self) -> None:
        """No more faults; hooks and counts stay."""
        with self._lock:
            self._rules.clear()

    def before(self, call: Callable[[], object], when: When) -> Hook:
        with self._lock:
            hook = Hook(call, when)
            self._hooks.append(hook)
            return hook

    def note(self, method: str, target: str, headers: dict[str, str]) -> Asked:
        """A request has come."""
        with self._lock:
            self._number += 1
            self._attempts[method, target] += 1
            kind = kind_of(target)
            self.asked[kind] += 1
            attempt = self._attempts[method, target]
            return Asked(self._number, attempt, method, target, kind, headers)

    def hooks_before(self, asked: Asked) -> list[Hook]:
        """The hooks that are to be called now."""
        with self._lock:
            found = [h for h in self._hooks if not h.is_done and h.when.fits(asked)]
            for hook in found:
                hook.is_done = True
            return found

    def faults_of(self, asked: Asked) -> list[Fault]:
        """Every delay before the first other fault, and that one."""
        found: list[Fault] = []
        with self._lock:
            for number, rule in enumerate(self._rules):
                if not rule.strikes(asked, lambda n=number: self.chance(asked, n)):  # type: ignore[misc]
                    continue
                self.spoilt[type(rule.fault).__name__] += 1
                found.append(rule.fault)
                if not isinstance(rule.fault, Delay):
                    break
        return found

    def chance(self, asked: Asked, salt: object) -> float:
        """0 to 1, the same for the same request and seed."""
        words = f"{self.seed} {salt} {asked.method} {asked.target} {asked.attempt}"
        return random.Random(words).random()  # noqa: S311 - decides a test's faults
