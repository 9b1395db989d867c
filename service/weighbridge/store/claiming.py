"""The right to write one repository: leases with fencing tokens.

A claim is one conditional update that counts `fence` up. Whoever holds a claim
writes only while the fence still has the claim's value, so that a process which
was thought dead and comes back changes nothing.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    case,
    func,
    literal,
    select,
    update,
)

from weighbridge.errors import StaleFence
from weighbridge.store.ahead import is_leased, is_unleased
from weighbridge.store.dialect import TakenRows
from weighbridge.store.models import (
    registries,
    repositories,
    repository_manifests,
    repository_summaries,
)
from weighbridge.store.process_mark import is_gone
from weighbridge.store.types import Moment

_table = repositories.c
# No lease: the claim's own pass has been closed.
_RENEW: Final = TakenRows(
    repositories,
    key=("id", "fence"),
    values=("lease_until",),
    only=_table.lease_until.is_not(None),
)

STARTS: Final = 3
"""A pass that was begun so often and never came to an end is not begun again soon."""
_FIRST_PAUSE: Final = timedelta(hours=1)
_LONGEST_PAUSE: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write one repository's tags, until someone else claims it.

    scope_id:    the storage scope in which its blobs count
    pass_number: complete passes so far; 0: whatever is there now came before us
    tags:        live tags known
    manifests:   distinct targets of these
    held:        tags that the last pass did not see, whose vanishing waits for a
                 second pass that agrees
    lease_s:     how long the claim lasts; each batch written renews it
    is_push:     what is found is what somebody said was pushed
    """

    repository_id: int
    scope_id: int
    repository: str
    fence: int
    pass_number: int
    tags: int
    manifests: int
    held: frozenset[str]
    lease_s: float
    is_push: bool = False
    last_pass_at: datetime | None = None
    last_complete_pass_at: datetime | None = None
    false_head_at: datetime | None = None


def claim(
    connection: Connection,
    repository_id: int,
    *,
    now: datetime,
    lease_s: float,
    owner: str = "",
    only_due: bool = False,
) -> Claim | None:
    """Take a repository over, or None while another process has it.

    only_due: also None where its time has not come, or where it is gone: somebody
        was faster

    owner: this process, as `process_mark.this_process` names it, or better this very
        claim (`one_claim`): made again, because nobody knows whether the first
        time was committed, it is granted again. The lease of an owner that is
        known to have ended holds nobody up.
    """
    row = connection.execute(
        select(
            _table.fence,
            _table.lease_until,
            _table.lease_owner,
            _table.attempts,
            _table.due_at,
            _table.gone_at,
            _table.last_pass_at,
            _table.last_complete_pass_at,
            registries.c.false_head_at,
        )
        .join(registries, registries.c.id == _table.registry_id)
        .where(_table.id == repository_id)
    ).one_or_none()
    if row is None:
        return None
    if only_due and (row.due_at > now or row.gone_at is not None):
        return None
    is_own = bool(owner) and row.lease_owner == owner
    if is_leased(row.lease_until, now) and not is_own and not is_gone(row.lease_owner):
        return None
    taken = connection.execute(
        update(repositories)
        .where(_table.id == repository_id, _table.fence == row.fence)
        .values(
            fence=_table.fence + 1,
            lease_until=now + timedelta(seconds=lease_s),
            lease_owner=owner or None,
            attempts=_table.attempts + 1,
            due_at=_put_off(row.due_at, row.attempts + 1, now),
        )
        .returning(
            _table.scope_id,
            _table.name,
            _table.fence,
            _table.complete_passes,
            _table.held,
        )
    ).one_or_none()
    if taken is None:
        return None
    return Claim(
        repository_id=repository_id,
        scope_id=taken.scope_id,
        repository=taken.name,
        fence=taken.fence,
        pass_number=taken.complete_passes,
        tags=_count_tags(connection, repository_id),
        manifests=_count_targets(connection, repository_id),
        held=frozenset(json.loads(taken.held)) if taken.held else frozenset(),
        lease_s=lease_s,
        last_pass_at=row.last_pass_at,
        last_complete_pass_at=row.last_complete_pass_at,
        false_head_at=row.false_head_at,
    )


def as_push(held: Claim) -> Claim:
    """The same for what somebody said was pushed."""
    return replace(held, is_push=True)


def pause_after(starts: int) -> timedelta:
    """How long work is left alone that was begun so often and never ended: not at
    all below `STARTS`, then an hour, and twice as long each time, up to a day."""
    if starts < STARTS:
        return timedelta(0)
    return min(_FIRST_PAUSE * (1 << min(starts - STARTS, 8)), _LONGEST_PAUSE)


def _put_off(due_at: datetime, starts: int, now: datetime) -> datetime:
    """Before the work begins: whoever is killed by it cannot do that any more."""
    pause = pause_after(starts)
    return max(due_at, now + pause) if pause else due_at


def is_free(now: datetime) -> ColumnElement[bool]:
    """Repositories that nobody works on, as a condition."""
    return is_unleased(_table.lease_until, now)


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
    if not hold_many(connection, [(held, now)]):
        raise stale(held)


def hold_many(
    connection: Connection, held: Iterable[tuple[Claim, datetime]]
) -> set[tuple[int, int]]:
    """`hold` for many, their rows locked in order; returns repository and fence of
    those that are ours still."""
    until = {
        (claim.repository_id, claim.fence): now + timedelta(seconds=claim.lease_s)
        for claim, now in held
    }
    return _RENEW.take(connection, [(*key, at) for key, at in sorted(until.items())])


def renew(connection: Connection, claims: Iterable[Claim], now: datetime) -> None:
    """Renew the leases of claims whose passes have nothing to write for a while;
    one that is not ours any more is left alone: its next batch will find out."""
    hold_many(connection, [(claim, now) for claim in claims])


def is_ours(held: Claim) -> tuple[ColumnElement[bool], ...]:
    """The claim's row, while it is the claim's."""
    # No lease: the claim's own pass has been closed.
    return (
        _table.id == held.repository_id,
        _table.fence == held.fence,
        _table.lease_until.is_not(None),
    )


def stale(held: Claim) -> StaleFence:
    """What to raise where a claim is not ours any more."""
    return StaleFence(f"another process has taken {held.repository} over")


def release(connection: Connection, held: Claim) -> None:
    """Give a claim back without a result, so that others need not wait for its
    lease to end. Nothing happens if it is not ours any more."""
    connection.execute(
        update(repositories)
        .where(*is_ours(held))
        .values(lease_until=None, lease_owner=None, attempts=_table.attempts - 1)
    )


def give_up(connection: Connection, held: Claim, retry_at: datetime) -> None:
    """Give a claim back whose pass has failed for a reason of our own: it counts as
    begun, and is tried again no sooner than that."""
    later = case((_table.due_at < retry_at, literal(retry_at, Moment())))
    connection.execute(
        update(repositories)
        .where(*is_ours(held))
        .values(
            lease_until=None,
            lease_owner=None,
            due_at=func.coalesce(later, _table.due_at),
        )
    )
