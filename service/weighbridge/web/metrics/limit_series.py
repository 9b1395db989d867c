"""What policies say of the repositories that have series: limits, and the team."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from msgspec import Struct

from weighbridge.domain.policy.policy import LimitKey, Limits, PolicySet
from weighbridge.domain.policy.waiver import ActiveWaivers
from weighbridge.store.reports.inventory import InventoryRow
from weighbridge.web.metrics.violation_series import NOBODY, Counts, Violating


class LimitFamily(Struct, frozen=True):
    """One limit of each repository; None where no policy sets it."""

    name: str
    help: str
    key: LimitKey
    value_of: Callable[[Limits], float | None]


NO_COUNTS: Final[Counts] = {}


class SeriesRow(NamedTuple):
    """One repository with all that is shown of it; team: "" for nobody's."""

    registry: str
    repository: str
    platform: str
    team: str
    values: Sequence[float | None]
    violations: Counts = NO_COUNTS


LIMITS: Final = (
    LimitFamily(
        "weighbridge_repository_compressed_limit_bytes",
        "Most compressed bytes that policy allows; absent where it sets no limit.",
        "max_compressed",
        lambda limits: limits.max_compressed_bytes,
    ),
    LimitFamily(
        "weighbridge_repository_uncompressed_limit_bytes",
        "Most uncompressed bytes that policy allows; absent where it sets no limit.",
        "max_uncompressed",
        lambda limits: limits.max_uncompressed_bytes,
    ),
    LimitFamily(
        "weighbridge_repository_growth_limit_ratio",
        "Most growth against the baseline that policy allows; 0.25 is a quarter.",
        "max_growth",
        lambda limits: limits.max_growth,
    ),
    LimitFamily(
        "weighbridge_repository_growth_minimum_bytes",
        "Growth in compressed bytes below which policy ignores it.",
        "max_growth",
        lambda limits: limits.min_growth_bytes,
    ),
)


class Accepted(Struct, frozen=True):
    """What is waived at a moment."""

    waivers: ActiveWaivers
    now: datetime

    def left_of(
        self,
        row: InventoryRow,
        families: Sequence[LimitFamily],
        values: Sequence[float | None],
    ) -> list[float | None]:
        """The values of those limits that are not waived for this row."""
        return [
            None if value is None or self._is_waived(row, family.key) else value
            for family, value in zip(families, values, strict=True)
        ]

    def _is_waived(self, row: InventoryRow, key: LimitKey) -> bool:
        found = self.waivers.find(row.registry, row.repository, row.tag, key, self.now)
        return found is not None


def limit_families(policies: PolicySet) -> tuple[LimitFamily, ...]:
    """Those that any of the policies sets: the others would have no series."""
    return tuple(
        family
        for family in LIMITS
        if any(family.value_of(p.limits) is not None for p in policies.policies)
    )


def with_limits(
    pieces: Iterable[Sequence[InventoryRow]],
    policies: PolicySet,
    families: Sequence[LimitFamily],
    accepted: Accepted,
    violating: Violating = NOBODY,
) -> Iterator[list[SeriesRow]]:
    """The rows with the limits of their newest image behind their values, and with
    their violations. What is waived is compared with nothing."""
    values: dict[Limits, list[float | None]] = {}
    for piece in pieces:
        rows = []
        for row in piece:
            registry, repository, platform, tag, numbers = row
            limits = policies.limits_of(registry, repository, tag)
            if (added := values.get(limits)) is None:
                added = [family.value_of(limits) for family in families]
                values[limits] = added
            if accepted.waivers.may_cover(repository):
                added = accepted.left_of(row, families, added)
            counts = violating.by_repository.get((registry, repository), NO_COUNTS)
            team = limits.team or ""
            known = [*numbers, *added]
            rows.append(SeriesRow(registry, repository, platform, team, known, counts))
        yield rows
