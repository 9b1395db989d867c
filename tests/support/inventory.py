"""The inventory of a database as `/metrics/repositories` would show it."""

from weighbridge.domain.policy.policy import NO_POLICIES, PolicySet
from weighbridge.domain.series_budget import Budget
from weighbridge.store.session import Database
from weighbridge.web.metrics.reclaimable import NOT_COUNTED, Reclaimable
from weighbridge.web.metrics.snapshot import Choice, Snapshot, take_snapshot


def snapshot_of(
    database: Database,
    budget: Budget | None = None,
    before: Choice | None = None,
    now: float = 0,
    policies: PolicySet = NO_POLICIES,
    reclaimable: Reclaimable = NOT_COUNTED,
) -> Snapshot:
    with database.read() as connection:
        return take_snapshot(
            connection, budget or Budget(), now, before, policies, reclaimable
        )


def text_of(
    database: Database,
    budget: Budget | None = None,
    reclaimable: Reclaimable = NOT_COUNTED,
) -> str:
    found = snapshot_of(database, budget, reclaimable=reclaimable)
    return found.text.plain.decode()


def shown_in(snapshot: Snapshot) -> set[str]:
    """The repositories that have an info."""
    return {
        line.partition('repository="')[2].partition('"')[0]
        for line in snapshot.text.plain.decode().splitlines()
        if line.startswith("weighbridge_repository_info{")
    }
