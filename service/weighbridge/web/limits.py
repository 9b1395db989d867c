"""What policies say of the repositories that have series: limits, and the team."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from weighbridge.domain.policy import Limits
from weighbridge.domain.policy_set import PolicySet
from weighbridge.store.reports import InventoryRow


@dataclass(frozen=True, slots=True)
class LimitFamily:
    """One limit of each repository; None where no policy sets it."""

    name: str
    help: str
    value_of: Callable[[Limits], float | None]


class SeriesRow(NamedTuple):
    """One repository with all that is shown of it; team: "" for nobody's."""

    registry: str
    repository: str
    platform: str
    team: str
    values: Sequence[float | None]


LIMITS: Final = (
    LimitFamily(
        "weighbridge_repository_compressed_limit_bytes",
        "Most compressed bytes that policy allows; absent where it sets no limit.",
        lambda limits: limits.max_compressed_bytes,
    ),
    LimitFamily(
        "weighbridge_repository_uncompressed_limit_bytes",
        "Most uncompressed bytes that policy allows; absent where it sets no limit.",
        lambda limits: limits.max_uncompressed_bytes,
    ),
    LimitFamily(
        "weighbridge_repository_growth_limit_ratio",
        "Most growth against the baseline that policy allows; 0.25 is a quarter.",
        lambda limits: limits.max_growth,
    ),
    LimitFamily(
        "weighbridge_repository_growth_minimum_bytes",
        "Growth in compressed bytes below which policy never minds it.",
        lambda limits: limits.min_growth_bytes,
    ),
)


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
) -> Iterator[list[SeriesRow]]:
    """The rows with the limits of their newest image behind their values."""
    values: dict[Limits, list[float | None]] = {}
    for piece in pieces:
        rows = []
        for registry, repository, platform, tag, numbers in piece:
            limits = policies.limits_of(registry, repository, tag)
            if (added := values.get(limits)) is None:
                added = [family.value_of(limits) for family in families]
                values[limits] = added
            team = limits.team or ""
            known = [*numbers, *added]
            rows.append(SeriesRow(registry, repository, platform, team, known))
        yield rows
