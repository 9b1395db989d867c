"""Rows of `crawls`: what each crawl did, and how far it came.

A crawl that was cut off is taken up again, where its cursor stands (`chunks`).
"""

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
from weighbridge.store.crawls.cursor import (
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
from weighbridge.store.leases.ahead import SLACK
from weighbridge.store.leases.claiming import Claim
from weighbridge.store.models import crawls, repositories, tags

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


class CrawlStart(NamedTuple):
    """A crawl that is to begin under a claim."""

    claim: Claim
    now: datetime
    resume_s: float


def open_crawls(
    connection: Connection, beginnings: Sequence[CrawlStart]
) -> list[OpenCrawl]:
    """Begin the records of crawls, or take those up that were cut off, if they began
    less than `resume_s` ago. An older one is closed as `interrupted`: what it saw is
    too old to build on.

    The claims are of different repositories and ours, and their rows are locked.
    """
    ids = sorted(map(_repository, beginnings))
    before = _BEFORE.read(connection, {"ids": listed(ids)})
    registries = {row[0]: row[1] for row in before}
    since = {row[0]: row[3] for row in before}
    left = _read_left(connection, [row[0] for row in before if row[2]])
    resumed: dict[int, Row[Any]] = {}
    ended: list[tuple[int, datetime]] = []
    begun: list[tuple[object, ...]] = []
    for held, now, resume_s in sorted(beginnings, key=_repository):
        repository = held.repository_id
        rows = left.get(repository, [])
        if rows and _is_young(rows[0].started_at, now, resume_s):
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
    return [opened[_repository(beginning)] for beginning in beginnings]


def _repository(beginning: CrawlStart) -> int:
    return beginning.claim.repository_id


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
            cursors[row.id].answered,
            cursors[row.id].chunks,
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
