"""Rows of `repositories`: which are due, who works on them, how it ended.

A claim is one conditional update that counts `fence` up. Whoever holds a claim
writes only while the fence still has the claim's value, so that a process which
was thought dead and comes back changes nothing.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from weighbridge.domain.report import RepositoryState
from weighbridge.errors import StaleFence
from weighbridge.store.dialect import NewRows, among_texts, listed
from weighbridge.store.models import (
    passes,
    registries,
    repositories,
    repository_manifests,
    repository_summaries,
    tags,
)
from weighbridge.store.types import Moment

_table = repositories.c
_FIND: Final = select(_table.name, _table.id).where(
    _table.registry_id == bindparam("registry"), among_texts(_table.name)
)
_NEW: Final = NewRows(
    repositories,
    "registry_id",
    "name",
    "state",
    "state_reason",
    "state_since",
    "due_at",
    "fence",
    "complete_passes",
    "requests",
    "bytes_read",
    "revision",
)
_NEW_SUMMARIES: Final = NewRows(
    repository_summaries,
    "repository_id",
    "tag_count",
    "image_count",
    "tags_failed",
    "is_stale",
    "changed_at",
    "revision",
)


_COUNTS: Final = (
    "tags_seen",
    "tags_new",
    "tags_moved",
    "tags_gone",
    "tags_failed",
    "invalid_tags",
    "requests",
    "bytes_read",
)


@dataclass(frozen=True, slots=True)
class Due:
    """A repository whose next pass is due."""

    repository_id: int
    registry: str
    repository: str


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write one repository's tags, until someone else claims it.

    pass_number: complete passes so far; 0: whatever is there now came before us
    tags:        live tags known
    manifests:   distinct targets of these
    held:        tags that the last pass did not see, whose vanishing waits for a
                 second pass that agrees
    lease_s:     how long the claim lasts; each batch written renews it
    """

    repository_id: int
    repository: str
    fence: int
    pass_number: int
    tags: int
    manifests: int
    held: frozenset[str]
    lease_s: float


@dataclass(frozen=True, slots=True)
class PassResult:
    """How a pass ended."""

    state: RepositoryState
    reason: str
    complete: bool
    tags_seen: int
    tags_new: int
    tags_moved: int
    tags_gone: int
    tags_failed: int
    invalid_tags: int
    requests: int
    bytes_read: int
    held: frozenset[str]


def put_repositories(
    connection: Connection, registry_id: int, names: Collection[str], now: datetime
) -> dict[str, int]:
    """Add the repositories that are new, due at once; returns the id of each name."""
    known = _find(connection, registry_id, names)
    new = sorted(set(names) - known.keys())
    if new:
        _NEW.add(
            connection,
            [(registry_id, n, "new", "", now, now, 0, 0, 0, 0, 0) for n in new],
        )
        added = _find(connection, registry_id, new)
        _NEW_SUMMARIES.add(
            connection, [(added[n], 0, 0, 0, False, now, 0) for n in new]
        )
        known |= added
    return known


def _find(
    connection: Connection, registry_id: int, names: Collection[str]
) -> dict[str, int]:
    parameters = {"registry": registry_id, "names": listed(names)}
    return {row.name: row.id for row in connection.execute(_FIND, parameters)}


def repositories_of(connection: Connection, registry_id: int) -> dict[str, int]:
    """The id of every repository that is known of a registry, by name."""
    rows = connection.execute(
        select(_table.name, _table.id)
        .where(_table.registry_id == registry_id)
        .order_by(_table.name)
    )
    return {row.name: row.id for row in rows}


def oldest_looks(connection: Connection) -> dict[str, datetime | None]:
    """By registry: when the repository was looked at that waits longest for its next
    look; None where one was never looked at."""
    rows = connection.execute(
        select(
            registries.c.name,
            func.min(_table.last_pass_at).label("oldest"),
            (func.count() > func.count(_table.last_pass_at)).label("is_one_new"),
        )
        .join(registries, registries.c.id == _table.registry_id)
        .group_by(registries.c.name)
    )
    return {row.name: None if row.is_one_new else row.oldest for row in rows}


def due_repositories(connection: Connection, now: datetime, limit: int) -> list[Due]:
    """Repositories whose time has come and that nobody works on, longest due first."""
    rows = connection.execute(
        select(_table.id, registries.c.name.label("registry"), _table.name)
        .join(registries, registries.c.id == _table.registry_id)
        .where(_table.due_at <= now, _is_free(now))
        .order_by(_table.due_at, _table.id)
        .limit(limit)
    )
    return [Due(row.id, row.registry, row.name) for row in rows]


def claim(
    connection: Connection, repository_id: int, *, now: datetime, lease_s: float
) -> Claim | None:
    """Take a repository over, or None while another process has it."""
    row = connection.execute(
        update(repositories)
        .where(_table.id == repository_id, _is_free(now))
        .values(fence=_table.fence + 1, lease_until=now + timedelta(seconds=lease_s))
        .returning(_table.name, _table.fence, _table.complete_passes, _table.held)
    ).one_or_none()
    if row is None:
        return None
    return Claim(
        repository_id=repository_id,
        repository=row.name,
        fence=row.fence,
        pass_number=row.complete_passes,
        tags=_count_tags(connection, repository_id),
        manifests=_count_targets(connection, repository_id),
        held=frozenset(json.loads(row.held)) if row.held else frozenset(),
        lease_s=lease_s,
    )


def _is_free(now: datetime) -> ColumnElement[bool]:
    return or_(_table.lease_until.is_(None), _table.lease_until <= now)


def _count_tags(connection: Connection, repository_id: int) -> int:
    summary = repository_summaries.c
    count: int = connection.execute(
        select(summary.tag_count).where(summary.repository_id == repository_id)
    ).scalar_one()
    return count


def _count_targets(connection: Connection, repository_id: int) -> int:
    manifests = repository_manifests.c
    count: int = connection.execute(
        select(func.count()).where(
            manifests.repository_id == repository_id, manifests.tag_count > 0
        )
    ).scalar_one()
    return count


def hold(connection: Connection, held: Claim, now: datetime) -> None:
    """Renew a claim's lease. Raises StaleFence if it is not ours any more.

    The first statement of every batch: it also locks the repository's row.
    """
    renewed = connection.execute(
        update(repositories)
        .where(*_is_ours(held))
        .values(lease_until=now + timedelta(seconds=held.lease_s))
    )
    if renewed.rowcount != 1:
        raise _stale(held)


def _is_ours(held: Claim) -> tuple[ColumnElement[bool], ...]:
    # No lease: the claim's own pass has been closed.
    return (
        _table.id == held.repository_id,
        _table.fence == held.fence,
        _table.lease_until.is_not(None),
    )


def _stale(held: Claim) -> StaleFence:
    return StaleFence(f"another process has taken {held.repository} over")


def open_pass(connection: Connection, held: Claim, now: datetime) -> int:
    """Begin the record of a pass; returns its id. Raises StaleFence.

    A pass that is still open was left by a process that died: it is closed as
    `interrupted`.
    """
    hold(connection, held, now)
    connection.execute(
        update(passes)
        .where(
            passes.c.repository_id == held.repository_id, passes.c.ended_at.is_(None)
        )
        .values(ended_at=now, state="interrupted", reason="process_ended")
    )
    opened: int = connection.execute(
        insert(passes)
        .values(
            repository_id=held.repository_id,
            started_at=now,
            state="running",
            reason="",
            **dict.fromkeys(_COUNTS, 0),
        )
        .returning(passes.c.id)
    ).scalar_one()
    return opened


def close_pass(
    connection: Connection,
    held: Claim,
    pass_id: int,
    result: PassResult,
    now: datetime,
    due_at: datetime,
) -> None:
    """Keep how a pass ended and give the claim back. Raises StaleFence."""
    is_same = _table.state == result.state
    closed = connection.execute(
        update(repositories)
        .where(*_is_ours(held))
        .values(
            state_since=case(
                (is_same, _table.state_since), else_=literal(now, Moment())
            ),
            state=result.state,
            state_reason=result.reason,
            last_pass_at=now,
            last_complete_pass_at=now
            if result.complete
            else _table.last_complete_pass_at,
            complete_passes=_table.complete_passes + int(result.complete),
            held=json.dumps(sorted(result.held)) if result.held else None,
            due_at=due_at,
            lease_until=None,
            requests=_table.requests + result.requests,
            bytes_read=_table.bytes_read + result.bytes_read,
            revision=_table.revision + 1,
        )
    )
    if closed.rowcount != 1:
        raise _stale(held)
    connection.execute(
        update(passes)
        .where(passes.c.id == pass_id, passes.c.repository_id == held.repository_id)
        .values(
            ended_at=now,
            state=result.state,
            reason=result.reason,
            **{name: getattr(result, name) for name in _COUNTS},
        )
    )


def release(connection: Connection, held: Claim) -> None:
    """Give a claim back without a result, so that others need not wait for its
    lease to end. Nothing happens if it is not ours any more."""
    connection.execute(
        update(repositories).where(*_is_ours(held)).values(lease_until=None)
    )


def forget_if_never_seen(connection: Connection, repository_id: int) -> None:
    """Remove a repository that was only ever asked for and never there: no complete
    pass, no tag. One that was there once stays, whatever the registry says now."""
    is_empty = connection.execute(
        select(_table.id).where(
            _table.id == repository_id,
            _table.complete_passes == 0,
            ~exists().where(tags.c.repository_id == repository_id),
        )
    ).one_or_none()
    if is_empty is None:
        return
    for table in (passes, repository_summaries):
        connection.execute(delete(table).where(table.c.repository_id == repository_id))
    connection.execute(delete(repositories).where(_table.id == repository_id))
