"""Rows of `crawls`: how crawls begin and end, what each did, and how far it came.

A crawl that was cut off is taken up again, where its cursor stands (`chunks`). With its
end goes what that says of its repository, and its claim is given back. Many are begun
and ended by as few statements as one.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from msgspec import Struct
from sqlalchemy import (
    Connection,
    Row,
    literal_column,
    null,
    select,
    update,
)

from weighbridge.domain.report.inventory import RepositoryState
from weighbridge.errors import StaleFence
from weighbridge.store.crawls.chunks import (
    NO_COUNTS,
    CrawlCounts,
    drop_chunks,
    take_cursors,
)
from weighbridge.store.dialect import (
    BulkUpdate,
    NumberedRows,
    Rows,
    among_ids,
    listed,
)
from weighbridge.store.leases.claiming import Claim, Opening, stale
from weighbridge.store.leases.validity import SLACK
from weighbridge.store.models import crawls, repositories, tags
from weighbridge.store.session import lock_repositories

_table = repositories.c


class OpenCrawl(Struct, frozen=True):
    """A crawl under way.

    answered: tags that a process which was cut off has been answered about
    chunks:   so many positions of the cursor are taken already
    before:   what that process has counted
    complete_since: when the last complete crawl began, None where that is not known
    """

    id: int
    answered: frozenset[str] = frozenset()
    chunks: int = 0
    before: CrawlCounts = NO_COUNTS
    complete_since: datetime | None = None

    @property
    def is_resumed(self) -> bool:
        return self.chunks > 0


class CrawlResult(Struct, frozen=True):
    """How a crawl ended; the counts are of all processes that worked on it."""

    state: RepositoryState
    reason: str
    complete: bool
    tags_seen: int
    tags_new: int
    tags_moved: int
    tags_deleted: int
    tags_failed: int
    invalid_tags: int
    requests: int
    bytes_read: int
    held: frozenset[str]


COUNTS: Final = (
    "tags_seen",
    "tags_new",
    "tags_moved",
    "tags_deleted",
    "tags_failed",
    "invalid_tags",
    "requests",
    "bytes_read",
)
"""Columns of `crawls` that hold what a `CrawlResult` counts."""

_BEFORE: Final = Rows(
    select(
        _table.id,
        _table.registry_id,
        # Whoever begins one closes what was left open: only the newest can be.
        select(crawls.c.ended_at.is_(None))
        .where(crawls.c.repository_id == _table.id)
        .order_by(crawls.c.id.desc())
        .limit(1)
        .scalar_subquery()
        .label("is_open"),
        select(crawls.c.started_at)
        .where(
            crawls.c.repository_id == _table.id,
            crawls.c.ended_at == _table.last_complete_crawl_at,
        )
        .order_by(crawls.c.id.desc())
        .limit(1)
        .scalar_subquery()
        .label("complete_since"),
    ).where(among_ids(_table.id))
)
_LEFT: Final = (
    select(crawls)
    .where(among_ids(crawls.c.repository_id), crawls.c.ended_at.is_(None))
    .order_by(crawls.c.id.desc())
)
_INTERRUPT: Final = BulkUpdate(
    crawls,
    key=("id",),
    values=("ended_at",),
    also={
        "state": literal_column("'interrupted'"),
        "reason": literal_column("'process_ended'"),
    },
)
_RESUME: Final = (
    update(crawls)
    .where(among_ids(crawls.c.id))
    .values(resumes=crawls.c.resumes + 1, overtaken=null())
)
_BEGIN: Final = NumberedRows(
    crawls,
    "repository_id",
    "registry_id",
    "started_at",
    "state",
    "reason",
    "resumes",
    *COUNTS,
    key="repository_id",
)
_NOTHING_YET: Final = (0,) * len(COUNTS)


def open_crawls(
    connection: Connection, openings: Collection[Opening]
) -> dict[int, OpenCrawl]:
    """Begin the records of crawls, or take those up that were cut off, if they began
    less than `resume_s` ago. An older one is closed as `interrupted`: what it saw is
    too old to build on.

    The repositories are different ones and ours, and their rows are locked.
    """
    ids = sorted(opening.repository_id for opening in openings)
    before = _BEFORE.read(connection, {"ids": listed(ids)})
    registries = {row[0]: row[1] for row in before}
    since = {row[0]: row[3] for row in before}
    left = _read_left(connection, [row[0] for row in before if row[2]])
    resumed: dict[int, Row[Any]] = {}
    ended: list[tuple[int, datetime]] = []
    begun: list[tuple[object, ...]] = []
    for opening in sorted(openings, key=lambda opening: opening.repository_id):
        repository, now = opening.repository_id, opening.now
        rows = left.get(repository, [])
        if rows and _is_young(rows[0].started_at, now, opening.resume_s):
            resumed[repository] = rows.pop(0)
        else:
            place = repository, registries[repository]
            begun.append((*place, now, "running", "", 0, *_NOTHING_YET))
        ended += [(row.id, now) for row in rows]
    _INTERRUPT.set(connection, ended)
    drop_chunks(connection, [crawl_id for crawl_id, _ in ended])
    opened = _resume(connection, resumed, since)
    for repository, crawl_id in _BEGIN.add(connection, begun).items():
        opened[repository] = OpenCrawl(crawl_id, complete_since=since[repository])
    return opened


def _read_left(
    connection: Connection, repository_ids: Collection[int]
) -> dict[int, list[Row[Any]]]:
    """The crawls that nobody has closed, newest first."""
    left: dict[int, list[Row[Any]]] = {}
    if repository_ids:
        for row in connection.execute(_LEFT, {"ids": listed(repository_ids)}):
            left.setdefault(row.repository_id, []).append(row)
    return left


def _is_young(started_at: datetime, now: datetime, resume_s: float) -> bool:
    return now - timedelta(seconds=resume_s) < started_at <= now + SLACK


def _resume(
    connection: Connection,
    resumed: Mapping[int, Row[Any]],
    since: Mapping[int, datetime | None],
) -> dict[int, OpenCrawl]:
    """Take these crawls up, by repository."""
    if not resumed:
        return {}
    parameters = {"ids": listed([row.id for row in resumed.values()])}
    connection.execute(_RESUME, parameters)
    cursors = take_cursors(connection, [row.id for row in resumed.values()])
    return {
        repository: OpenCrawl(
            row.id,
            *cursors[row.id],
            CrawlCounts(*(getattr(row, name) for name in CrawlCounts.names())),
            complete_since=since[repository],
        )
        for repository, row in resumed.items()
    }


def complete_since(connection: Connection, repository_id: int) -> datetime | None:
    """When the last complete crawl of a repository began, None: it is not known."""
    rows = _BEFORE.read(connection, {"ids": listed([repository_id])})
    return next((since for _, _, _, since in rows), None)


def find_tag_error(connection: Connection, repository_id: int) -> str:
    """Why some tag of a repository could not be read the last time; "" if all could."""
    code: str | None = connection.execute(
        select(tags.c.error_code)
        .where(
            tags.c.repository_id == repository_id,
            tags.c.deleted_at.is_(None),
            tags.c.error_code.is_not(None),
        )
        .order_by(tags.c.id)
        .limit(1)
    ).scalar()
    return code or ""


_SAYS_NOTHING: Final[tuple[RepositoryState, ...]] = (
    "unreachable",
    "unauthorized",
    "error",
)
"""After such a crawl a repository is as missing as it was."""
_IS_THERE: Final[tuple[RepositoryState, ...]] = ("ok", "partial")

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
    missing_crawls: int
    due_at: datetime
    requests: int
    bytes_read: int


_AT_END: Final = Rows(
    select(*(_table[name] for name in _Before._fields)).where(among_ids(_table.id))
)


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
        _Before._make(row) for row in _AT_END.read(connection, {"ids": listed(ids)})
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
