"""What a limit would flag, as JSON objects: the keys of the API and of the command."""

from collections.abc import Mapping
from dataclasses import dataclass

from weighbridge.domain.policy.policy import LimitKey
from weighbridge.domain.policy.simulation import Flagged
from weighbridge.presentation.rows.violation_rows import Unit, unit_of


@dataclass(frozen=True, slots=True)
class SimulationRow:
    """A limit that a repository would exceed. `limit_amount`, `amount` and `excess` are
    in `unit`; tag and platform are null where the limit is one of a repository."""

    registry: str
    repository: str
    tag: str | None
    platform: str | None
    limit_key: LimitKey
    unit: Unit
    limit_amount: int
    amount: int | None
    excess: int
    baseline_compressed_bytes: int | None


@dataclass(frozen=True, slots=True)
class OneLimitSimulation:
    """One limit held against the newest image of every repository.

    `items` are the worst, `exceeding` counts all of them. Of `unknown` repositories no
    image has a known size: they are in `repositories`, and never in `exceeding`.
    """

    limit_key: LimitKey
    limit_amount: int
    repositories: int
    unknown: int
    exceeding: int
    items: list[SimulationRow]


def simulation_row(flagged: Flagged) -> Mapping[str, object]:
    """The row of one limit of one repository."""
    image, finding = flagged.image, flagged.finding
    is_of_image = finding.key != "max_deduplicated"
    is_growth = finding.key == "max_growth"
    return {
        "registry": image.registry,
        "repository": image.repository,
        "tag": image.tag if is_of_image else None,
        "platform": image.platform if is_of_image else None,
        "limit_key": finding.key,
        "unit": unit_of(finding.key),
        "limit_amount": finding.limit_amount,
        "amount": finding.amount,
        "excess": finding.excess,
        "baseline_compressed_bytes": image.measured.baseline_compressed_bytes
        if is_growth
        else None,
    }
