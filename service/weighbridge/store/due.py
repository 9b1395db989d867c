"""Which repositories are due, and which are left alone for a while."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from weighbridge.store.claiming import STARTS, is_free
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.locks import lock_repositories
from weighbridge.store.models import registries, repositories
from weighbridge.store.process_mark import is_gone

_table = repositories.c


@dataclass(frozen=True, slots=True)
class Due:
    """A repository whose next pass is due."""

    repository_id: int
    repository: str


def due_repositories(
    connection: Connection, registry: str, now: datetime, limit: int
) -> list[Due]:
    """Repositories of a registry whose time has come and that nobody works on,
    longest due first. None of one that is unreachable: it is asked itself first."""
    rows = connection.execute(
        select(_table.id, _table.name)
        .join(registries, registries.c.id == _table.registry_id)
        .where(
            registries.c.name == registry,
            registries.c.state != "unreachable",
            _table.due_at <= now,
            _table.gone_at.is_(None),
            is_free(now),
        )
        .order_by(_table.due_at, _table.id)
        .limit(limit)
    )
    return [Due(row.id, row.name) for row in rows]


def is_any_due(connection: Connection, registry: str, now: datetime) -> bool:
    """Whether a repository of a registry is due that nobody works on."""
    return bool(due_repositories(connection, registry, now, 1))


def put_off(
    connection: Connection, repository_ids: Collection[int], due_at: datetime
) -> None:
    """Have repositories looked at no sooner than that, unless somebody does now."""
    lock_repositories(connection, sorted(repository_ids))
    connection.execute(
        update(repositories)
        .where(among_ids(_table.id), _table.due_at < due_at)
        .values(due_at=due_at),
        {"ids": listed(sorted(repository_ids))},
    )


def free_left_behind(connection: Connection, now: datetime) -> int:
    """Free the repositories of processes that are known to have ended, so that nobody
    waits for their leases; how many. Of another machine's processes we know nothing."""
    held = connection.execute(
        select(_table.id, _table.fence, _table.lease_owner).where(
            _table.lease_until > now
        )
    ).all()
    freed = 0
    for row in held:
        if is_gone(row.lease_owner):
            changed = connection.execute(
                update(repositories)
                .where(_table.id == row.id, _table.fence == row.fence)
                .values(lease_until=None, lease_owner=None)
            )
            freed += changed.rowcount
    return freed


def park_poison(connection: Connection, now: datetime) -> list[str]:
    """Mark the repositories whose passes were begun `STARTS` times and never ended,
    as whatever is in them ends the process; returns their names. When they are due
    again has been said by their last claim."""
    candidates = connection.execute(
        select(_table.id, _table.name, _table.fence).where(
            _table.attempts >= STARTS,
            _table.gone_at.is_(None),
            _table.state_reason != "poison",
            is_free(now),
        )
    ).all()
    parked = []
    for row in candidates:
        marked = connection.execute(
            update(repositories)
            .where(_table.id == row.id, _table.fence == row.fence)
            .values(
                state="error",
                state_reason="poison",
                state_since=now,
                lease_until=None,
                lease_owner=None,
                revision=_table.revision + 1,
            )
        )
        if marked.rowcount == 1:
            parked.append(row.name)
    return sorted(parked)
