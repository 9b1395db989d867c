"""How the handling of pushed tags begins and ends: the row of their repository."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, case, literal, or_, select, update

from weighbridge.store.leases.claiming import (
    STARTS,
    Claim,
    claim,
    is_ours,
    stale,
)
from weighbridge.store.models import registries, repositories, violations
from weighbridge.store.models.types import Moment
from weighbridge.store.pushes.inbox import PushedTo
from weighbridge.store.registries.repository_rows import put_repositories

_table = repositories.c
_AWAY: Final = ("missing", "deleted")


class KnownRepository(NamedTuple):
    """A repository as it is known.

    is_deleted:   the registry had it once
    parked_until: its crawls have ended their process again and again; None: not so
    """

    repository_id: int
    is_deleted: bool
    parked_until: datetime | None


def find_known(
    connection: Connection, to: PushedTo, now: datetime
) -> KnownRepository | None:
    """The repository, gone ones too; None: it was never seen."""
    row = connection.execute(
        select(_table.id, _table.deleted_at, _table.attempts, _table.due_at)
        .join(registries, registries.c.id == _table.registry_id)
        .where(registries.c.name == to.registry, _table.name == to.repository)
    ).one_or_none()
    if row is None:
        return None
    is_parked = row.attempts >= STARTS and row.due_at > now
    parked_until = row.due_at if is_parked else None
    return KnownRepository(row.id, row.deleted_at is not None, parked_until)


def claim_new(
    connection: Connection,
    registry_id: int,
    repository: str,
    *,
    now: datetime,
    lease_s: float,
    owner: str,
) -> Claim | None:
    """Add a repository that the registry was found to have, and take it. None where
    somebody else has found it meanwhile: what was heard before that may be old."""
    ids = put_repositories(connection, registry_id, [repository], now)
    taken = claim(
        connection,
        ids[repository],
        now=now,
        lease_s=lease_s,
        owner=owner,
        is_push=True,
    )
    return taken if taken is not None and taken.fence == 1 else None


def end_check(
    connection: Connection,
    held: Claim,
    now: datetime,
    *,
    requests: int,
    bytes_read: int,
    is_there: bool,
    is_due: bool,
) -> None:
    """Give a claim back after some tags were handled, which says nothing of the others.
    Raises StaleFence.

    is_there: a tag was found: a repository that was missing or gone is new again, and
              all of it is to be handled
    is_due:   that is wanted anyway
    """
    is_back = _table.state.in_(_AWAY) if is_there else literal(False)
    wanted = or_(is_back, literal(is_due))
    ended = connection.execute(
        update(repositories)
        .where(*is_ours(held))
        .values(
            state=case((is_back, "new"), else_=_table.state),
            state_reason=case((is_back, ""), else_=_table.state_reason),
            state_since=case(
                (is_back, literal(now, Moment())), else_=_table.state_since
            ),
            deleted_at=None if is_there else _table.deleted_at,
            missing_crawls=0 if is_there else _table.missing_crawls,
            due_at=case(
                (wanted & (_table.due_at > now), literal(now, Moment())),
                # It was put off in case that it ends us, and it has not.
                (
                    _table.due_at == literal(held.due_at, Moment()),
                    literal(held.due_before, Moment()),
                ),
                else_=_table.due_at,
            ),
            lease_until=None,
            lease_owner=None,
            attempts=_table.attempts - 1,
            requests=_table.requests + requests,
            bytes_read=_table.bytes_read + bytes_read,
            revision=_table.revision + 1,
        )
    )
    if ended.rowcount != 1:
        raise stale(held)


def worst_of(
    connection: Connection, repository_id: int, tags: Collection[str]
) -> Mapping[str, set[str]]:
    """The severities of the violations that these tags opened or kept open."""
    rows = connection.execute(
        select(violations.c.tag, violations.c.severity)
        .where(
            violations.c.repository_id == repository_id,
            violations.c.closed_at.is_(None),
            violations.c.tag.in_(sorted(tags)),
        )
        .distinct()
    )
    found: dict[str, set[str]] = {}
    for tag, severity in rows:
        found.setdefault(tag, set()).add(severity)
    return found
