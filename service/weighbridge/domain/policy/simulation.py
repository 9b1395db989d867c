"""Limits tried on what is known now: what they would flag, before they are set."""

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct

from weighbridge.domain.policy.policy import LIMIT_KEYS, LimitKey, Limits
from weighbridge.domain.policy.verdict import Finding, LimitedNumbers, verdict


class SimulatedImage(Struct, frozen=True):
    """The newest image of a repository; None: it has none.

    is_estimate: its uncompressed bytes are one
    """

    registry: str
    repository: str
    tag: str | None
    platform: str | None
    measured: LimitedNumbers
    is_estimate: bool = False


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
