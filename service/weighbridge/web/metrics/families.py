"""The families of `/metrics/repositories`, their names, their help, their values; and
what policies say of repositories that have series: violations, limits, and the team.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct, field

from weighbridge.domain.policy.policy import LimitKey, Limits, PolicySet, Severity
from weighbridge.domain.policy.waiver import ActiveWaivers
from weighbridge.domain.report.base import BaseReport
from weighbridge.domain.report.inventory import RegistryReport
from weighbridge.domain.series_budget import Family, Violations
from weighbridge.store.reports.inventory import InventoryRow
from weighbridge.store.reports.violations import OpenRow, not_waived, open_rows
from weighbridge.store.session import Connection
from weighbridge.web.metrics.reclaimable import REPOSITORY

Counts: TypeAlias = Mapping[Severity, int]

VIOLATIONS: Final = (
    "weighbridge_repository_policy_violations",
    "Open violations that are not waived, by severity; absent where there is none.",
)
BY_POLICY: Final = (
    "weighbridge_policy_violating_repositories",
    "Repositories with open violations of a policy; absent where there is none.",
)


class Violating(Struct, frozen=True):
    """Open violations, those that are waived left out.

    ids:           of the repositories that have some
    by_repository: how many of each severity; by registry and name
    by_policy:     how many repositories exceed a limit of this policy, by severity
    """

    ids: Collection[int] = ()
    by_repository: Mapping[tuple[str, str], Counts] = field(default_factory=dict)
    by_policy: Mapping[tuple[str, Severity], int] = field(default_factory=dict)

    @property
    def series(self) -> Violations:
        """How many series they need."""
        kinds = {kind for counts in self.by_repository.values() for kind in counts}
        return Violations(
            of_repositories=sum(map(len, self.by_repository.values())),
            kinds=len(kinds),
            of_policies=len(self.by_policy),
        )


def read_violating(
    connection: Connection,
    registries: Collection[str],
    waivers: ActiveWaivers,
    now: datetime,
) -> Violating:
    """Those of these registries."""
    found = not_waived(open_rows(connection), waivers, now)
    return _counted(row for row in found if row.registry in registries)


def _counted(rows: Iterable[OpenRow]) -> Violating:
    by_repository: dict[tuple[str, str], Counter[Severity]] = {}
    by_policy: dict[tuple[str, Severity], set[int]] = {}
    for row in rows:
        name = (row.registry, row.repository)
        by_repository.setdefault(name, Counter())[row.severity] += 1
        policy = (row.policy, row.severity)
        by_policy.setdefault(policy, set()).add(row.repository_id)
    ids = {identity for found in by_policy.values() for identity in found}
    return Violating(
        ids=sorted(ids),
        by_repository=by_repository,
        by_policy={policy: len(found) for policy, found in by_policy.items()},
    )


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
    waivers: ActiveWaivers,
    now: datetime,
    violating: Violating,
    further: Sequence[Mapping[tuple[str, str], int]] = (),
) -> Iterator[list[SeriesRow]]:
    """The rows with the limits of their newest image behind their values, and with
    their violations. What is waived is compared with nothing.

    further: other values of repositories, by registry and name, for behind the limits
    """
    values: dict[Limits, list[float | None]] = {}
    for piece in pieces:
        rows = []
        for row in piece:
            registry, repository, platform, tag, numbers = row
            limits = policies.limits_of(registry, repository, tag)
            if (added := values.get(limits)) is None:
                added = [family.value_of(limits) for family in families]
                values[limits] = added
            if waivers.may_cover(repository):
                names = (registry, repository, tag)
                added = [
                    None if waivers.find(*names, family.key, now) else value
                    for family, value in zip(families, added, strict=True)
                ]
            counts = violating.by_repository.get((registry, repository), NO_COUNTS)
            team = limits.team or ""
            more = (each.get((registry, repository)) for each in further)
            known = [*numbers, *added, *more]
            rows.append(SeriesRow(registry, repository, platform, team, known, counts))
        yield rows


class RepositoryFamily(Struct, frozen=True):
    """One number of each repository. column: what the store calls it"""

    column: str
    name: str
    help: str


class RegistryFamily(Struct, frozen=True):
    """One number of each registry; None where it is not known."""

    name: str
    help: str
    value_of: Callable[[RegistryReport], int | None]


class BaseFamily(Struct, frozen=True):
    """One number of each base; None where it is not known."""

    name: str
    help: str
    value_of: Callable[[BaseReport], int | None]


BASES: Final = (
    BaseFamily(
        "weighbridge_base_image_repositories",
        "Repositories that have an image on the base; the bases with most bytes.",
        lambda base: base.repositories,
    ),
    BaseFamily(
        "weighbridge_base_image_outdated_repositories",
        "Of those, the ones whose newest image is on an older build of the base.",
        lambda base: base.outdated_repositories,
    ),
    BaseFamily(
        "weighbridge_base_image_bytes",
        "Compressed bytes of the images on the base that are the base's, "
        "each image once.",
        lambda base: base.base_bytes,
    ),
    BaseFamily(
        "weighbridge_base_image_own_bytes",
        "Compressed bytes that these images have above the base.",
        lambda base: base.own_bytes,
    ),
    BaseFamily(
        "weighbridge_base_image_saving_bytes",
        "Estimate: what slimmer variants of the base would save of one pull of the "
        "newest image of each repository on it; absent where none is known.",
        lambda base: base.saved_bytes,
    ),
)
INFO: Final = (
    "weighbridge_repository_info",
    "A repository with the platform that its sizes are of, and its team; always 1.",
)
FAILING: Final = (
    "weighbridge_registry_repositories_failing",
    "Repositories whose last crawl failed or was not complete, by state.",
)
CORE: Final = (
    RepositoryFamily(
        "compressed",
        "weighbridge_repository_newest_image_compressed_bytes",
        "Bytes that a pull of the newest image moves.",
    ),
    RepositoryFamily(
        "uncompressed",
        "weighbridge_repository_newest_image_uncompressed_bytes",
        "Bytes of the newest image on disk; absent where unknown.",
    ),
    RepositoryFamily(
        "baseline",
        "weighbridge_repository_baseline_image_compressed_bytes",
        "Median of the ten distinct images before the newest; absent below three.",
    ),
    RepositoryFamily(
        "deduplicated",
        "weighbridge_repository_deduplicated_bytes",
        "Distinct blobs that the repository refers to, each counted once.",
    ),
    RepositoryFamily(
        "exclusive",
        "weighbridge_repository_exclusive_bytes",
        "Of those, what nothing else refers to: freed if the repository is deleted.",
    ),
)
RECLAIMABLE: Final = RepositoryFamily("reclaimable", *REPOSITORY)
SAVING: Final = RepositoryFamily(
    "saving",
    "weighbridge_repository_slimmer_base_saving_bytes",
    "Estimate: how much lighter the newest image would be on the slimmer variant of "
    "its base that saves most; absent where none is known.",
)
REGISTRY_SAVING: Final = (
    "weighbridge_registry_slimmer_base_saving_bytes",
    "Estimate: sum over the repositories of the registry of which it is known.",
)
OPTIONAL: Final[dict[Family, RepositoryFamily]] = {
    "largest": RepositoryFamily(
        "largest",
        "weighbridge_repository_largest_image_compressed_bytes",
        "Bytes that a pull of the largest tagged image moves.",
    ),
    "tags": RepositoryFamily(
        "tags", "weighbridge_repository_tags", "Tags of the repository."
    ),
    "pushed": RepositoryFamily(
        "pushed",
        "weighbridge_repository_newest_image_pushed_timestamp_seconds",
        "When the newest image was pushed, or a crawl first found its tag there.",
    ),
    "audited": RepositoryFamily(
        "audited",
        "weighbridge_repository_last_audit_timestamp_seconds",
        "When a crawl of the repository was last complete.",
    ),
}
_UP: Final = {"ok": 1, "unauthorized": 0, "unreachable": 0, "error": 0}
REGISTRY: Final = (
    RegistryFamily(
        "weighbridge_registry_up",
        "Whether the registry answered the last crawl.",
        lambda registry: _UP.get(registry.state),
    ),
    RegistryFamily(
        "weighbridge_registry_repositories",
        "Repositories of the registry.",
        lambda registry: registry.repositories,
    ),
    RegistryFamily(
        "weighbridge_registry_removals_held",
        "Repositories kept until a second crawl finds the same: missing together with "
        "more than half of all, or with more than half of their tags missing.",
        lambda registry: registry.removals_held,
    ),
    RegistryFamily(
        "weighbridge_registry_tags",
        "Tags of the registry.",
        lambda registry: registry.tags,
    ),
    RegistryFamily(
        "weighbridge_registry_images",
        "Distinct images of the registry.",
        lambda registry: registry.images,
    ),
    RegistryFamily(
        "weighbridge_registry_referenced_bytes",
        "Sum over tags of the bytes that each tag refers to.",
        lambda registry: registry.referenced_bytes,
    ),
    RegistryFamily(
        "weighbridge_registry_deduplicated_bytes",
        "Distinct blobs, each counted once in a storage scope.",
        lambda registry: registry.deduplicated_bytes,
    ),
    RegistryFamily(
        "weighbridge_registry_shared_bytes",
        "Of those, what two repositories or more of one storage scope refer to.",
        lambda registry: registry.shared_bytes,
    ),
)


def families_of(wanted: Sequence[Family]) -> tuple[RepositoryFamily, ...]:
    """The core and the wanted ones, each once."""
    return CORE + tuple(family for name, family in OPTIONAL.items() if name in wanted)
