"""Repositories that are no longer there: missing for long enough, then gone.

A registry that is throttled or restored from a backup says "unknown name" as calmly
as one that has deleted a repository. So one crawl that finds it missing changes
nothing, and a tombstone keeps all history once it is believed.
"""

import json
from collections.abc import Collection, Container
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, or_, select, update

from weighbridge.store.dialect.rows import Rows
from weighbridge.store.leases.claiming import Claim, hold, is_ours, stale
from weighbridge.store.models import registries, repositories, tags
from weighbridge.store.registries.registry_rows import change_registry
from weighbridge.store.tags.applying import apply_deleted

CRAWLS: Final = 3
"""So many crawls in a row must find a repository missing, ..."""
PERIOD: Final = timedelta(hours=24)
"""... and so long, unless the catalog agrees that it is not there."""
_TAGS_AT_ONCE: Final = 1_000
_table = repositories.c
_STANDING: Final = Rows(
    select(
        _table.id,
        _table.name,
        _table.state,
        _table.was_listed,
        _table.last_crawl_at,
    )
    .where(
        _table.registry_id == bindparam("registry"),
        _table.deleted_at.is_(None),
        _table.id > bindparam("after"),
    )
    .order_by(_table.id)
    .limit(bindparam("most"))
)


def missing_for_good(
    connection: Connection,
    registry_id: int,
    names: Container[str] | None,
    now: datetime,
) -> dict[int, str]:
    """The names of missing repositories of which enough is known to believe it, by id.

    names: all names of a catalog that was read to its end in this crawl; None
        where there was no such crawl. It agrees only about names that a catalog has
        listed before: others it may never have been going to list.
    """
    rows = connection.execute(
        select(
            _table.id,
            _table.name,
            _table.missing_crawls,
            _table.state_since,
            _table.was_listed,
        )
        .where(
            _table.registry_id == registry_id,
            _table.state == "missing",
            _table.deleted_at.is_(None),
        )
        .order_by(_table.id)
    )
    return {
        row.id: row.name
        for row in rows
        if (names is not None and row.was_listed and row.name not in names)
        or (row.missing_crawls >= CRAWLS and row.state_since <= now - PERIOD)
    }


class LiveRepository(NamedTuple):
    """A repository that is not gone, as its last crawl left it.

    was_listed: a catalog has listed it
    """

    repository_id: int
    repository: str
    state: str
    was_listed: bool
    last_crawl_at: datetime | None


def standing_page(
    connection: Connection, registry_id: int, after: int, most: int
) -> list[LiveRepository]:
    """The next repositories of a registry, in the order of their ids."""
    parameters = {"registry": registry_id, "after": after, "most": most}
    return [LiveRepository._make(row) for row in _STANDING.read(connection, parameters)]


def held_removals(connection: Connection, registry_id: int) -> frozenset[int]:
    """Repositories that the last catalog did not list any more."""
    kept: str | None = connection.execute(
        select(registries.c.held).where(registries.c.id == registry_id)
    ).scalar_one()
    return frozenset(json.loads(kept)) if kept else frozenset()


def hold_removals(
    connection: Connection, registry_id: int, held: Collection[int], waiting: int
) -> None:
    """Note what the catalog did not list any more, and how many of these wait for a
    second one that agrees; nothing is written where that is the same."""
    table = registries.c
    text = json.dumps(sorted(held)) if held else None
    change_registry(
        connection,
        table.id == registry_id,
        or_(table.held.is_distinct_from(text), table.removals_held != waiting),
        held=text,
        removals_held=waiting,
    )


def forget_held(connection: Connection, registry_id: int, repository_id: int) -> None:
    """Wait for nothing where a repository is removed from the database."""
    held = held_removals(connection, registry_id)
    if repository_id in held:
        waiting: int = connection.execute(
            select(registries.c.removals_held).where(registries.c.id == registry_id)
        ).scalar_one()
        rest = held - {repository_id}
        hold_removals(connection, registry_id, rest, max(0, waiting - 1))


def is_missing(connection: Connection, claim: Claim, now: datetime) -> bool:
    """Whether a repository that was missing before it was claimed still is: another
    process may have found it meanwhile. Raises StaleFence."""
    hold(connection, claim, now)
    found = connection.execute(
        select(_table.id).where(
            _table.id == claim.repository_id,
            _table.state == "missing",
            _table.deleted_at.is_(None),
        )
    )
    return found.one_or_none() is not None


def delete_tags(
    connection: Connection, claim: Claim, now: datetime, after: str = ""
) -> str | None:
    """Mark the next tags of a repository as gone, in the order of their names.

    after: what the last call returned, so that nobody reads what is deleted already.
    Returns the last name that was deleted; None where no more are left. Raises
    StaleFence.
    """
    names = list(
        connection.execute(
            select(tags.c.name)
            .where(
                tags.c.repository_id == claim.repository_id,
                tags.c.name > after,
                tags.c.deleted_at.is_(None),
            )
            .order_by(tags.c.name)
            .limit(_TAGS_AT_ONCE)
        ).scalars()
    )
    apply_deleted(connection, claim, names, now)
    return names[-1] if len(names) == _TAGS_AT_ONCE else None


def delete_repository(connection: Connection, claim: Claim, now: datetime) -> None:
    """Make a repository a tombstone and give its claim back. Raises StaleFence.

    Its tags must be gone already, see `delete_tags`.
    """
    deleted = connection.execute(
        update(repositories)
        .where(*is_ours(claim), _table.state == "missing")
        .values(
            state="deleted",
            state_since=now,
            deleted_at=now,
            lease_until=None,
            lease_owner=None,
            attempts=0,
            revision=_table.revision + 1,
        )
    )
    if deleted.rowcount != 1:
        raise stale(claim)
