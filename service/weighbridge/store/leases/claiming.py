"""The right to write repositories: leases with fencing tokens.

A claim counts `fence` up. Whoever holds a claim writes only while the fence still has
the claim's value, so that a process which was thought dead and comes back changes
nothing. Many are claimed, renewed and given back by as few statements as one. Who gives
one back without a result takes back what the claim did in case that its work ends the
process.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    case,
    func,
    literal,
    literal_column,
    null,
    select,
    update,
)

from weighbridge.errors import StaleFence
from weighbridge.store.dialect import (
    BulkUpdate,
    BulkUpdateReturning,
    Rows,
    among_ids,
    listed,
)
from weighbridge.store.leases.validity import is_leased, is_unleased
from weighbridge.store.models import (
    registries,
    repositories,
    repository_manifests,
    repository_summaries,
)
from weighbridge.store.models.types import Moment
from weighbridge.store.session import lock_repositories

_table = repositories.c
_summary = repository_summaries.c
_manifest = repository_manifests.c

STARTS: Final = 3
"""Work that was begun so often in a row, and each time stored nothing and never came
to an end, is not begun again soon."""
_FIRST_PAUSE: Final = timedelta(hours=1)
_LONGEST_PAUSE: Final = timedelta(hours=24)

_TAKE: Final = BulkUpdate(
    repositories,
    key=("id",),
    values=("fence", "lease_until", "lease_owner", "attempts", "due_at"),
)
_FENCES: Final = Rows(
    select(_table.id, _table.fence).where(
        among_ids(_table.id), _table.lease_until.is_not(None)
    )
)
# No lease: the claim's own crawl has been closed.
IS_HELD: Final = _table.lease_until.is_not(None)
_RENEW: Final = BulkUpdateReturning(
    repositories, key=("id", "fence"), values=("lease_until",), only=IS_HELD
)


class Opening(NamedTuple):
    """Who wants to crawl a repository.

    owner:    this process, as `validity.this_process` names it, or better this very
        claim (`one_claim`): made again, because nobody knows whether the first time
        was committed, it is granted again. The lease of an owner that is known to have
        ended holds nobody up.
    only_due: not where its time has not come, or where it is gone: somebody was faster
    resume_s: a crawl that was cut off is taken up if it began less than that ago
    is_push:  see `Claim`
    """

    repository_id: int
    now: datetime
    lease_s: float
    owner: str = ""
    only_due: bool = False
    resume_s: float = 0
    is_push: bool = False


class Claim(Struct, frozen=True):
    """The right to write one repository's tags, until someone else claims it.

    scope_id:    the storage scope in which its blobs count
    crawl_number: complete crawls so far; 0: whatever is there now came before us
    tags:        live tags known
    manifests:   distinct targets of these
    held:        tags that the last crawl did not see, whose deletion waits for a
                 second crawl that agrees
    lease_s:     how long the claim lasts; each batch written renews it
    due_at:      of the repository, as the claim left it: another one at the crawl's end
                 is somebody's wish for one more
    due_before:  as the claim found it
    starts:      so often it was begun, with this time, since it last stored something
    is_lent:     another process has it, which alone says that it lives
    is_push:     what is found is what somebody said was pushed
    """

    repository_id: int
    scope_id: int
    repository: str
    fence: int
    crawl_number: int
    tags: int
    manifests: int
    held: frozenset[str]
    lease_s: float
    due_at: datetime
    due_before: datetime
    starts: int = 1
    is_lent: bool = False
    is_push: bool = False
    last_crawl_at: datetime | None = None
    last_complete_crawl_at: datetime | None = None
    false_head_at: datetime | None = None


class _State(NamedTuple):
    """A repository's row, with what is counted of it: columns of `repositories`, then
    others."""

    id: int
    fence: int
    lease_until: datetime | None
    lease_owner: str | None
    attempts: int
    due_at: datetime
    deleted_at: datetime | None
    scope_id: int
    name: str
    complete_crawls: int
    held: str | None
    last_crawl_at: datetime | None
    last_complete_crawl_at: datetime | None
    false_head_at: datetime | None
    tags: int
    manifests: int
    due_before: datetime

    def is_for(self, opening: Opening) -> bool:
        """Whether it may be taken."""
        now = opening.now
        if opening.only_due and (self.due_at > now or self.deleted_at is not None):
            return False
        is_others = is_leased(self.lease_until, self.lease_owner, now)
        return self.is_own(opening) or not is_others

    def is_own(self, opening: Opening) -> bool:
        return bool(opening.owner) and self.lease_owner == opening.owner

    def taken(self, opening: Opening) -> "_State":
        now = opening.now
        # Of a claim that is made again the first time was counted.
        starts = self.attempts + (not self.is_own(opening))
        return self._replace(
            fence=self.fence + 1,
            lease_until=now + timedelta(seconds=opening.lease_s),
            lease_owner=opening.owner or None,
            attempts=starts,
            due_at=_put_off(self.due_at, starts, now),
        )

    def claim(self, lease_s: float, **kind: bool) -> Claim:
        return Claim(
            repository_id=self.id,
            scope_id=self.scope_id,
            repository=self.name,
            fence=self.fence,
            crawl_number=self.complete_crawls,
            tags=self.tags,
            manifests=self.manifests,
            held=frozenset(json.loads(self.held)) if self.held else frozenset(),
            lease_s=lease_s,
            due_at=self.due_at,
            due_before=self.due_before,
            starts=self.attempts,
            last_crawl_at=self.last_crawl_at,
            last_complete_crawl_at=self.last_complete_crawl_at,
            false_head_at=self.false_head_at,
            **kind,
        )


_STATE: Final = Rows(
    select(
        *(_table[name] for name in _State._fields if name in _table),
        registries.c.false_head_at,
        func.coalesce(_summary.tag_count, 0).label("tags"),
        select(func.count())
        .where(_manifest.repository_id == _table.id, _manifest.tag_count > 0)
        .scalar_subquery()
        .label("manifests"),
        _table.due_at.label("due_before"),
    )
    .join_from(repositories, registries, registries.c.id == _table.registry_id)
    .outerjoin(repository_summaries, _summary.repository_id == _table.id)
    .where(among_ids(_table.id))
)


def claim(
    connection: Connection,
    repository_id: int,
    *,
    now: datetime,
    lease_s: float,
    owner: str = "",
    only_due: bool = False,
    is_push: bool = False,
) -> Claim | None:
    """`claim_many` of one."""
    opening = Opening(
        repository_id, now, lease_s, owner, only_due=only_due, is_push=is_push
    )
    return claim_many(connection, [opening])[0]


def claim_many(
    connection: Connection, openings: Sequence[Opening]
) -> list[Claim | None]:
    """Take repositories over; None for each that another process has."""
    ids = sorted({opening.repository_id for opening in openings})
    lock_repositories(connection, ids)
    states = (
        _State._make(row) for row in _STATE.read(connection, {"ids": listed(ids)})
    )
    rows = {row.id: row for row in states}
    claims: list[Claim | None] = []
    for opening in openings:
        row = rows.get(opening.repository_id)
        if row is None or not row.is_for(opening):
            claims.append(None)
            continue
        # Whoever is next of the same batch finds it taken.
        rows[row.id] = row = row.taken(opening)
        claims.append(row.claim(opening.lease_s, is_push=opening.is_push))
    granted = {claim.repository_id for claim in claims if claim is not None}
    taken = (rows[repository_id] for repository_id in sorted(granted))
    _TAKE.set(
        connection,
        [
            (r.id, r.fence, r.lease_until, r.lease_owner, r.attempts, r.due_at)
            for r in taken
        ],
    )
    return claims


def current_claim(
    connection: Connection, repository_id: int, lease_s: float
) -> Claim | None:
    """The claim that somebody has now, so that others may work under it; None: nobody
    has one."""
    for row in _STATE.read(connection, {"ids": listed([repository_id])}):
        state = _State._make(row)
        if state.lease_until is not None:
            return state.claim(lease_s, is_lent=True)
    return None


def pause_after(starts: int) -> timedelta:
    """How long work is left alone that was begun so often in vain: not at all below
    `STARTS`, then an hour, and twice as long each time, up to a day."""
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
    those that are ours still, or whose owners' they are."""
    held = list(held)
    lent = {(c.repository_id, c.fence) for c, _ in held if c.is_lent}
    if lent:
        ids = {claim.repository_id for claim, _ in held}
        lent &= _lock_fences(connection, ids).items()
    until = {
        (claim.repository_id, claim.fence): now + timedelta(seconds=claim.lease_s)
        for claim, now in held
        if not claim.is_lent
    }
    rows = [(*key, at) for key, at in sorted(until.items())]
    return lent | _RENEW.take(connection, rows)


def renew(connection: Connection, claims: Iterable[Claim], now: datetime) -> None:
    """Renew the leases of claims whose crawls have nothing to write for a while;
    one that is not ours any more is left alone: its next batch will find out."""
    hold_many(connection, [(claim, now) for claim in claims])


def is_ours(held: Claim) -> tuple[ColumnElement[bool], ...]:
    """The claim's row, while it is the claim's."""
    return (
        _table.id == held.repository_id,
        _table.fence == held.fence,
        IS_HELD,
    )


def lock_ours(connection: Connection, claims: Collection[Claim]) -> set[int]:
    """The repositories of those claims that are ours still; nobody takes one over
    until we commit."""
    fences = _lock_fences(connection, {held.repository_id for held in claims})
    return {
        held.repository_id
        for held in claims
        if fences.get(held.repository_id) == held.fence
    }


def _lock_fences(connection: Connection, ids: Collection[int]) -> dict[int, int]:
    """The fences of those repositories that somebody has."""
    lock_repositories(connection, ids)
    return dict(_FENCES.read(connection, {"ids": listed(sorted(ids))}))


def stale(held: Claim) -> StaleFence:
    """What to raise where a claim is not ours any more."""
    return StaleFence(f"another process has taken {held.repository} over")


_RELEASE: Final = BulkUpdate(
    repositories,
    key=("id", "fence"),
    values=(),
    also={
        "lease_until": null(),
        "lease_owner": null(),
        "attempts": _table.attempts - literal_column("1"),
    },
    only=IS_HELD,
)
_COUNT_ANEW: Final = BulkUpdate(
    repositories,
    key=("id", "fence"),
    values=(),
    also={"attempts": literal_column("1")},
    only=IS_HELD,
)
# Not where somebody has wished for one more meanwhile.
_AS_BEFORE: Final = (
    update(repositories)
    .where(
        _table.id == bindparam("repository"),
        _table.fence == bindparam("held_fence"),
        _table.due_at == bindparam("put_off"),
        IS_HELD,
    )
    .values(due_at=bindparam("before"))
)


def release(connection: Connection, claims: Collection[Claim]) -> None:
    """Give claims back without a result, so that others need not wait for the leases
    to end. Nothing happens to one that is not ours any more."""
    lock_repositories(connection, {held.repository_id for held in claims})
    _be_due_as_before(connection, claims)
    _RELEASE.set(connection, [(held.repository_id, held.fence) for held in claims])


def count_anew(connection: Connection, claims: Collection[Claim]) -> None:
    """Count the starts of claims' work from this one on: it has stored something, so
    that whoever begins it again gets further. Nothing happens to a claim that is not
    ours any more."""
    again = [held for held in claims if held.starts > 1]
    _be_due_as_before(connection, again)
    _COUNT_ANEW.set(connection, [(held.repository_id, held.fence) for held in again])


def _be_due_as_before(connection: Connection, claims: Collection[Claim]) -> None:
    """They were put off in case that they end us, and they have not."""
    for held in claims:
        if held.due_at != held.due_before:
            connection.execute(
                _AS_BEFORE,
                {
                    "repository": held.repository_id,
                    "held_fence": held.fence,
                    "put_off": held.due_at,
                    "before": held.due_before,
                },
            )


def give_up(
    connection: Connection, claims: Collection[Claim], retry_at: datetime
) -> None:
    """Give claims back whose crawls have failed for a reason of our own: they count as
    begun, and are tried again no sooner than that."""
    later = case((_table.due_at < retry_at, literal(retry_at, Moment())))
    connection.execute(
        update(repositories)
        .where(among_ids(_table.id))
        .values(
            lease_until=None,
            lease_owner=None,
            due_at=func.coalesce(later, _table.due_at),
        ),
        {"ids": listed(sorted(lock_ours(connection, claims)))},
    )
