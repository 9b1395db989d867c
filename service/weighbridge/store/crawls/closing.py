"""What ends crawls: how each ended, what that says of its repository, its claim given
back. Many are closed by as few statements as one."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from msgspec import Struct
from sqlalchemy import Connection, literal_column, null, select

from weighbridge.domain.report.inventory import RepositoryState
from weighbridge.errors import StaleFence
from weighbridge.store.crawls.crawl_rows import COUNTS, CrawlResult
from weighbridge.store.crawls.cursor import drop_chunks
from weighbridge.store.dialect import BulkUpdate, Rows, among_ids, listed
from weighbridge.store.leases.ahead import SLACK
from weighbridge.store.leases.claiming import Claim, stale
from weighbridge.store.locks import lock_repositories
from weighbridge.store.models import crawls, repositories

_table = repositories.c
_SAYS_NOTHING: Final[tuple[RepositoryState, ...]] = (
    "unreachable",
    "unauthorized",
    "error",
)
"""After such a crawl a repository is as missing as it was."""
_IS_THERE: Final[tuple[RepositoryState, ...]] = ("ok", "partial")

_BEFORE: Final = Rows(
    select(
        _table.id,
        _table.fence,
        _table.lease_until,
        _table.state,
        _table.state_since,
        _table.deleted_at,
        _table.last_complete_crawl_at,
        _table.complete_crawls,
        _table.is_silent,
        _table.missing_crawls,
        _table.due_at,
        _table.requests,
        _table.bytes_read,
    ).where(among_ids(_table.id))
)
_CLOSE: Final = BulkUpdate(
    repositories,
    key=("id",),
    values=(
        "state",
        "state_reason",
        "state_since",
        "deleted_at",
        "last_crawl_at",
        "last_complete_crawl_at",
        "complete_crawls",
        "is_silent",
        "missing_crawls",
        "held",
        "due_at",
        "requests",
        "bytes_read",
    ),
    also={
        "lease_until": null(),
        "lease_owner": null(),
        "attempts": literal_column("0"),
        "revision": _table.revision + literal_column("1"),
    },
)
_END: Final = BulkUpdate(
    crawls,
    key=("id", "repository_id"),
    values=("ended_at", "state", "reason", *COUNTS),
    also={"overtaken": null()},
)
_ENDED: Final = Rows(
    select(crawls.c.id, crawls.c.repository_id).where(
        among_ids(crawls.c.id), crawls.c.ended_at.is_not(None)
    )
)


class Closing(Struct, frozen=True):
    """How a crawl ended.

    due_at:     when the next one is due, unless somebody has wished for one meanwhile
    has_chunks: pieces of its cursor may be kept
    """

    claim: Claim
    crawl_id: int
    result: CrawlResult
    now: datetime
    due_at: datetime
    has_chunks: bool


class _Before(NamedTuple):
    """The repository, as the crawl finds it at its end."""

    id: int
    fence: int
    lease_until: datetime | None
    state: RepositoryState
    state_since: datetime
    deleted_at: datetime | None
    last_complete_crawl_at: datetime | None
    complete_crawls: int
    is_silent: bool
    missing_crawls: int
    due_at: datetime
    requests: int
    bytes_read: int


def close_many(
    connection: Connection, closings: Sequence[Closing]
) -> list[StaleFence | None]:
    """Keep how crawls ended and give their claims back. A StaleFence for each whose
    claim is not ours any more: of it nothing is kept.

    Nothing happens where this has been done already and nobody knew: the answer to
    a commit can be lost.

    A repository that was gone is back once it answers; until then it stays gone,
    whatever the catalog says.
    """
    ids = sorted({closing.claim.repository_id for closing in closings})
    lock_repositories(connection, ids)
    found = (
        _Before._make(row) for row in _BEFORE.read(connection, {"ids": listed(ids)})
    )
    rows = {row.id: row for row in found}
    ours: dict[int, Closing] = {}
    others: list[Closing] = []
    for closing in closings:
        held = closing.claim
        row = rows.get(held.repository_id)
        is_ours = row is not None and row.fence == held.fence and row.lease_until
        if is_ours and held.repository_id not in ours:
            ours[held.repository_id] = closing
        else:
            others.append(closing)
    _CLOSE.set(
        connection,
        [_closed(closing, rows[number]) for number, closing in ours.items()],
    )
    _END.set(connection, [_ended(closing) for closing in ours.values()])
    drop_chunks(connection, [c.crawl_id for c in ours.values() if c.has_chunks])
    closed = {id(closing) for closing in ours.values()}
    closed |= _closed_before(connection, others, rows)
    return [None if id(c) in closed else stale(c.claim) for c in closings]


def _closed_before(
    connection: Connection, closings: Sequence[Closing], rows: dict[int, _Before]
) -> set[int]:
    """Those whose claim was given back by closing this crawl, and is nobody's since."""
    if not closings:
        return set()
    crawl_ids = sorted({closing.crawl_id for closing in closings})
    ended = set(_ENDED.read(connection, {"ids": listed(crawl_ids)}))
    return {
        id(closing)
        for closing in closings
        if (row := rows.get(closing.claim.repository_id)) is not None
        and row.fence == closing.claim.fence
        and (closing.crawl_id, row.id) in ended
    }


def _closed(closing: Closing, row: _Before) -> tuple[object, ...]:
    """The repository's new values, in the order of `_CLOSE`."""
    result, now = closing.result, closing.now
    is_there = result.state in _IS_THERE
    state = result.state if is_there or row.deleted_at is None else "deleted"
    # A request for another crawl that came while this one ran is not lost.
    is_wanted = row.due_at not in (closing.claim.due_at, closing.claim.due_before)
    return (
        row.id,
        state,
        result.reason,
        row.state_since if state == row.state else now,
        None if is_there else row.deleted_at,
        now,
        now if result.complete else _not_to_come(row.last_complete_crawl_at, now),
        row.complete_crawls + result.complete,
        # From now on whatever comes is somebody's push.
        row.is_silent and not result.complete,
        _missing_crawls(result, row.missing_crawls),
        json.dumps(sorted(result.held)) if result.held else None,
        row.due_at if is_wanted else closing.due_at,
        row.requests + result.requests,
        row.bytes_read + result.bytes_read,
    )


def _ended(closing: Closing) -> tuple[object, ...]:
    """The crawl's new values, in the order of `_END`."""
    result = closing.result
    counts = (getattr(result, name) for name in COUNTS)
    repository_id = closing.claim.repository_id
    return (
        closing.crawl_id,
        repository_id,
        closing.now,
        result.state,
        result.reason,
        *counts,
    )


def _not_to_come(at: datetime | None, now: datetime) -> datetime | None:
    """A clock that was ahead has written it; it would look fresh until then."""
    return now if at is not None and at > now + SLACK else at


def _missing_crawls(result: CrawlResult, before: int) -> int:
    if result.state == "missing":
        return before + 1
    return before if result.state in _SAYS_NOTHING else 0
