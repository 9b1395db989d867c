"""Repositories that are no longer there: missing for long enough, then gone.

A registry that is throttled or restored from a backup says "unknown name" as calmly
as one that has deleted a repository. So one look that finds it missing changes
nothing, and a tombstone keeps all history once it is believed.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, func, select, update

from weighbridge.store.claiming import Claim, is_ours, stale
from weighbridge.store.models import registries, repositories
from weighbridge.store.tags import apply_gone, live_tags

PASSES: Final = 3
"""So many passes in a row must find a repository missing, ..."""
PERIOD: Final = timedelta(hours=24)
"""... and so long, unless the catalog agrees that it is not there."""
_TAGS_AT_ONCE: Final = 1_000
_table = repositories.c


@dataclass(frozen=True, slots=True)
class Missing:
    """A repository that the registry does not know any more."""

    repository_id: int
    repository: str


def missing_for_good(
    connection: Connection,
    registry_id: int,
    listed: Collection[str] | None,
    now: datetime,
) -> list[Missing]:
    """Missing repositories of which enough is known to believe it.

    listed: all names of a catalog that was read to its end in this crawl; None
        where there was no such look
    """
    rows = connection.execute(
        select(_table.id, _table.name, _table.missing_passes, _table.state_since)
        .where(
            _table.registry_id == registry_id,
            _table.state == "missing",
            _table.gone_at.is_(None),
        )
        .order_by(_table.id)
    )
    return [
        Missing(row.id, row.name)
        for row in rows
        if (listed is not None and row.name not in listed)
        or (row.missing_passes >= PASSES and row.state_since <= now - PERIOD)
    ]


def count_repositories(connection: Connection, registry_id: int) -> int:
    """Repositories that are not gone."""
    count: int = connection.execute(
        select(func.count()).where(
            _table.registry_id == registry_id, _table.gone_at.is_(None)
        )
    ).scalar_one()
    return count


def held_removals(connection: Connection, registry_id: int) -> frozenset[int]:
    """Repositories whose vanishing waits for a second crawl that agrees."""
    kept: str | None = connection.execute(
        select(registries.c.held).where(registries.c.id == registry_id)
    ).scalar_one()
    return frozenset(json.loads(kept)) if kept else frozenset()


def hold_removals(
    connection: Connection, registry_id: int, held: Collection[int]
) -> None:
    """Note whose vanishing waits; nothing is written where that is the same."""
    table = registries.c
    text = json.dumps(sorted(held)) if held else None
    connection.execute(
        update(registries)
        .where(table.id == registry_id, table.held.is_distinct_from(text))
        .values(held=text, removals_held=len(held), revision=table.revision + 1)
    )


def bury_tags(connection: Connection, claim: Claim, now: datetime) -> bool:
    """Mark some tags of a gone repository as gone; whether any are left."""
    live: Sequence[str] = sorted(live_tags(connection, claim.repository_id))
    apply_gone(connection, claim, live[:_TAGS_AT_ONCE], now)
    return len(live) > _TAGS_AT_ONCE


def bury_repository(connection: Connection, claim: Claim, now: datetime) -> None:
    """Make a repository a tombstone and give its claim back. Raises StaleFence.

    Its tags must be gone already, see `bury_tags`.
    """
    buried = connection.execute(
        update(repositories)
        .where(*is_ours(claim), _table.state == "missing")
        .values(
            state="gone",
            state_since=now,
            gone_at=now,
            lease_until=None,
            lease_owner=None,
            revision=_table.revision + 1,
        )
    )
    if buried.rowcount != 1:
        raise stale(claim)
