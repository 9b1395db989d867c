"""Rows of `repositories`: which there are, in which storage scope, and which are no
longer there: missing for long enough, then gone.

An address is one registry, whatever it is called: repositories follow the entry that
crawls them.

A registry that is throttled or restored from a backup says "unknown name" as calmly
as one that has deleted a repository. So one crawl that finds it missing changes
nothing, and a tombstone keeps all history once it is believed.
"""

from collections.abc import Collection, Container
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    case,
    delete,
    exists,
    select,
    update,
)

from weighbridge.store.dialect import BulkInsert, among_ids, among_texts, listed
from weighbridge.store.dialect.many_rows import Rows
from weighbridge.store.leases.claiming import Claim, hold, is_ours, stale
from weighbridge.store.ledger.counts import mark_uncounted, mark_unmeasured
from weighbridge.store.ledger.holdings import move_holdings
from weighbridge.store.ledger.scopes import LedgerPlace
from weighbridge.store.models import (
    crawls,
    registries,
    repositories,
    repository_summaries,
    tags,
)
from weighbridge.store.registries.registry_rows import find_last_listing
from weighbridge.store.registries.scope_rows import put_scopes
from weighbridge.store.session import lock_repositories
from weighbridge.store.tags.applying import apply_deleted
from weighbridge.store.traffic.pull_counts import forget_pulls

_table = repositories.c
_IDS_BY_NAME: Final = Rows(
    select(_table.name, _table.id).where(
        _table.registry_id == bindparam("registry"), among_texts(_table.name)
    )
)
_END_SILENCE: Final = (
    update(repositories).where(among_ids(_table.id)).values(is_silent=False)
)
_NEW: Final = BulkInsert(
    repositories,
    "registry_id",
    "scope_id",
    "name",
    "state",
    "state_reason",
    "state_since",
    "due_at",
    "fence",
    "attempts",
    "complete_crawls",
    "missing_crawls",
    "was_listed",
    "is_silent",
    "requests",
    "bytes_read",
    "revision",
)
_NOTHING_YET: Final = (0, 0, 0, 0, False)
_PLACES: Final = (
    select(_table.id, case((_table.deleted_at.is_(None), _table.registry_id)))
    .where(among_ids(_table.id))
    .order_by(_table.id)
)
_NEW_SUMMARIES: Final = BulkInsert(
    repository_summaries,
    "repository_id",
    "registry_id",
    "tag_count",
    "image_count",
    "tags_failed",
    "deduplicated_bytes",
    "exclusive_bytes",
    "is_stale",
    "is_uncounted",
    "is_unmeasured",
    "changed_at",
    "revision",
    "over_tags",
    "limits_mark",
    "over_waits",
)


_OTHERS: Final = (
    select(repositories.c.id, repositories.c.name, repositories.c.scope_id)
    .join(registries, registries.c.id == repositories.c.registry_id)
    .where(
        registries.c.id != bindparam("registry"),
        registries.c.address
        == select(registries.c.address)
        .where(registries.c.id == bindparam("registry"))
        .scalar_subquery(),
        among_texts(repositories.c.name),
    )
    .order_by(repositories.c.id)
)


def put_repositories(
    connection: Connection, registry_id: int, names: Collection[str], now: datetime
) -> dict[str, int]:
    """Add the repositories that are new, due at once; returns the id of each name.

    Those that another entry of the address has brought in are taken over. Those that
    come before the registry was ever listed to its end are silent.
    """
    known = _find(connection, registry_id, names)
    if set(names) - known.keys():
        adopt_repositories(connection, registry_id, set(names) - known.keys(), now)
        known = _find(connection, registry_id, names)
    new = sorted(set(names) - known.keys())
    if new:
        scopes = put_scopes(connection, registry_id, new)
        is_silent = find_last_listing(connection, registry_id) is None
        rest = (*_NOTHING_YET, is_silent, 0, 0, 0)
        _NEW.add(
            connection,
            [(registry_id, scopes[n], n, "new", "", now, now, *rest) for n in new],
        )
        added = _find(connection, registry_id, new)
        put_empty_summaries(connection, [added[n] for n in new], now, is_stale=False)
        known |= added
    return known


def end_silence(connection: Connection, repository_ids: Collection[int]) -> None:
    """Somebody has pushed to them: from now on people are told of what they store. The
    rows must be locked."""
    ids = {"ids": listed(sorted(repository_ids))}
    connection.execute(_END_SILENCE, ids)


def adopt_repositories(
    connection: Connection, registry_id: int, names: Collection[str], now: datetime
) -> None:
    """Take over repositories that another entry of the same address has brought in.

    Entries of one address never want the same repository, so whoever crawls it now is
    the one whose it is. A crawl of it that goes on elsewhere finds its fence stale.
    """
    parameters = {"registry": registry_id, "names": listed(names)}
    found = connection.execute(_OTHERS, parameters).all()
    if not found:
        return
    lock_repositories(connection, [row.id for row in found])
    scopes = put_scopes(connection, registry_id, [row.name for row in found])
    for row in found:
        scope_id = scopes[row.name]
        move_holdings(connection, [(LedgerPlace(row.id, row.scope_id), scope_id)])
        # What was answered there was not answered here.
        mark_uncounted(connection, [row.id])
        mark_unmeasured(connection, [row.id])
        connection.execute(
            update(crawls)
            .where(crawls.c.repository_id == row.id)
            .values(registry_id=registry_id)
        )
        connection.execute(
            update(repositories)
            .where(repositories.c.id == row.id)
            .values(
                registry_id=registry_id,
                scope_id=scope_id,
                due_at=now,
                lease_until=None,
                lease_owner=None,
                fence=repositories.c.fence + 1,
                revision=repositories.c.revision + 1,
            )
        )


def put_empty_summaries(
    connection: Connection,
    repository_ids: Collection[int],
    now: datetime,
    *,
    is_stale: bool,
) -> None:
    """Add rows of the read model that count nothing yet; `is_stale`: there may be
    something to count."""
    found = (0, 0, 0, 0, 0, is_stale, False, is_stale, now, 0, 0, "", False)
    places = connection.execute(_PLACES, {"ids": listed(repository_ids)})
    _NEW_SUMMARIES.add(connection, [(*place, *found) for place in places])


def note_listed(
    connection: Connection, registry_id: int, names: Collection[str]
) -> None:
    """Remember that a catalog lists these repositories; once is enough."""
    unlisted = select(_table.id).where(
        _table.registry_id == registry_id,
        among_texts(_table.name),
        _table.was_listed.is_(False),
    )
    ids = list(connection.execute(unlisted, {"names": listed(names)}).scalars())
    if ids:
        mark_listed(connection, ids, is_listed=True)


def mark_listed(
    connection: Connection, repository_ids: Collection[int], *, is_listed: bool
) -> None:
    """Whether the catalog lists these. Where it does not list what is there, it tells
    nothing of them from now on, until it lists them again."""
    ids = sorted(repository_ids)
    lock_repositories(connection, ids)
    connection.execute(
        update(repositories).where(among_ids(_table.id)).values(was_listed=is_listed),
        {"ids": listed(ids)},
    )


def _find(
    connection: Connection, registry_id: int, names: Collection[str]
) -> dict[str, int]:
    """The ids of a registry's repositories of these names."""
    parameters = {"registry": registry_id, "names": listed(names)}
    return dict(_IDS_BY_NAME.read(connection, parameters))


def deleted_among(connection: Connection, repository_ids: Collection[int]) -> list[int]:
    """Those of the repositories that the registry had once."""
    return _among(connection, repository_ids, _table.deleted_at.is_not(None))


def listed_among(connection: Connection, repository_ids: Collection[int]) -> list[int]:
    """Those of the repositories that a catalog has listed."""
    return _among(connection, repository_ids, _table.was_listed)


def _among(
    connection: Connection, ids: Collection[int], condition: ColumnElement[bool]
) -> list[int]:
    rows = connection.execute(
        select(_table.id).where(among_ids(_table.id), condition).order_by(_table.id),
        {"ids": listed(sorted(ids))},
    )
    return list(rows.scalars())


def forget_if_never_seen(connection: Connection, repository_id: int) -> None:
    """Remove a repository that was only ever asked for and never there: no complete
    crawl, no tag. One that was there once stays, whatever the registry says now, and
    so does one that another process is crawling or was cut off from."""
    # A statement of its own: the next one then sees all that was kept by whoever had
    # the row before us, and nobody can claim it any more.
    lock_repositories(connection, [repository_id])
    is_empty = connection.execute(
        select(_table.id).where(
            _table.id == repository_id,
            _table.state == "missing",
            _table.lease_until.is_(None),
            _table.complete_crawls == 0,
            ~exists().where(tags.c.repository_id == repository_id),
            ~exists().where(
                crawls.c.repository_id == repository_id, crawls.c.ended_at.is_(None)
            ),
        )
    ).one_or_none()
    if is_empty is None:
        return
    for table in (crawls, repository_summaries):
        connection.execute(delete(table).where(table.c.repository_id == repository_id))
    forget_pulls(connection, repository_id)
    connection.execute(delete(repositories).where(_table.id == repository_id))


CRAWLS: Final = 3
"""So many crawls in a row must find a repository missing, ..."""
PERIOD: Final = timedelta(hours=24)
"""... and so long, unless the catalog agrees that it is not there."""
_TAGS_AT_ONCE: Final = 1_000
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
