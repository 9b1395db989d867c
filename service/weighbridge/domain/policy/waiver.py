"""Waivers: violations that are accepted for a while, with a reason."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from weighbridge.domain.policy.policy import LimitKey, Match, is_matched
from weighbridge.domain.text.globs import fits

WaiverState: TypeAlias = Literal["active", "expired", "revoked"]


class NewWaiver(Struct, frozen=True):
    """What is to be waived. The names are patterns, as those of a policy are.

    limit_key:  of this limit only, None for every limit
    author:     `cli:USER`, or the name of a token
    expires_at: aware; from then on it says nothing
    """

    registry: str
    repository: str
    tag: str
    limit_key: LimitKey | None
    reason: str
    author: str
    expires_at: datetime

    def __str__(self) -> str:
        return waived_name(self.registry, self.repository, self.tag)


class Waiver(Struct, frozen=True):
    """A waiver as it is kept; it is never changed, but it may be revoked."""

    id: int
    registry: str
    repository: str
    tag: str
    limit_key: LimitKey | None
    reason: str
    author: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    revoked_by: str | None = None

    @property
    def match(self) -> Match:
        return Match(self.registry, self.repository, self.tag)

    def __str__(self) -> str:
        return waived_name(self.registry, self.repository, self.tag)

    def state(self, now: datetime) -> WaiverState:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at <= now else "active"


def waived_name(registry: str, repository: str, tag: str) -> str:
    """`hub/acme/*`, or `hub/acme/app:1.*` where not every tag is meant."""
    name = f"{registry}/{repository}"
    return name if tag == "*" else f"{name}:{tag}"


class ActiveWaivers:
    """The waivers that are in force, asked for every repository at once.

    As with policies (`domain.policy.policy_set`), one is only tried on names that begin
    with its pattern's text before the first `*`; where there is none, on those that
    have its longest text somewhere.
    """

    def __init__(self, waivers: Iterable[Waiver] = ()) -> None:
        self.waivers: Final[Sequence[Waiver]] = tuple(waivers)
        self._by_start: dict[str, list[Waiver]] = {}
        self._by_part: list[tuple[str, Waiver]] = []
        for waiver in self.waivers:
            start, *others = waiver.repository.split("*")
            if start:
                self._by_start.setdefault(start, []).append(waiver)
            else:
                part = max(others, key=len, default="")
                self._by_part.append((part, waiver))
        self._lengths = sorted({len(start) for start in self._by_start})

    def at(self, now: datetime) -> "ActiveWaivers":
        """Those of them that are still in force; the same object if all are."""
        left = [waiver for waiver in self.waivers if waiver.state(now) == "active"]
        return self if len(left) == len(self.waivers) else ActiveWaivers(left)

    def find(
        self,
        registry: str,
        repository: str,
        tag: str,
        limit_key: LimitKey,
        now: datetime,
    ) -> Waiver | None:
        """What waives this limit there; of several the one that holds longest.

        tag: "" for a limit of the repository, which only a waiver for all tags waives
        """
        # Asked of everything that is over: mostly nothing is about it.
        if not (candidates := self._candidates(repository)):
            return None
        found = [
            waiver
            for waiver in candidates
            if waiver.limit_key in (None, limit_key)
            and waiver.state(now) == "active"
            and is_matched(waiver.match, registry, repository, tag)
        ]
        return max(found, key=lambda w: (w.expires_at, -w.id), default=None)

    def may_cover(self, repository: str) -> bool:
        """Whether any of them is about this repository, whatever its registry."""
        return bool(self.waivers and self._candidates(repository))

    def _candidates(self, repository: str) -> list[Waiver]:
        """Those that are about this repository."""
        found: list[Waiver] = []
        for length in self._lengths:
            if length > len(repository):
                break
            found += self._by_start.get(repository[:length], ())
        found += [waiver for part, waiver in self._by_part if part in repository]
        return [waiver for waiver in found if fits(waiver.repository, repository)]


NO_WAIVERS: Final = ActiveWaivers()
