"""Who exceeds a limit now, counted for the series of `/metrics/repositories`."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final, TypeAlias

from msgspec import Struct, field

from weighbridge.domain.policy.policy import Severity
from weighbridge.domain.policy.waiver import ActiveWaivers
from weighbridge.domain.series_budget import Violations
from weighbridge.store.reports.violations import OpenRow, not_waived, open_rows
from weighbridge.store.session import Connection

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


NOBODY: Final = Violating()


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
