"""Rows of `passes` and `pass_chunks`: what each look did, and how far it came.

A pass that was cut off is taken up again. Its cursor is the set of tags that it has
been answered about, kept in pieces by the transactions that kept what the tags are:
a listing may have any order and may change meanwhile, so that no name in it says
what lies before.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    Connection,
    Row,
    bindparam,
    delete,
    literal_column,
    select,
    update,
)

from weighbridge.domain.report import RepositoryState
from weighbridge.store.ahead import SLACK
from weighbridge.store.claiming import Claim
from weighbridge.store.dialect import (
    ChangedRows,
    NewRows,
    NumberedRows,
    Rows,
    among_ids,
    listed,
)
from weighbridge.store.models import pass_chunks, passes, repositories, tags

_table = repositories.c
_NOTE: Final = NewRows(pass_chunks, "pass_id", "position", "names")
_COUNT: Final = (
    update(passes)
    .where(passes.c.id == bindparam("pass"))
    .values(
        tags_seen=bindparam("seen"),
        tags_new=bindparam("new"),
        tags_moved=bindparam("moved"),
        tags_failed=bindparam("failed"),
        requests=bindparam("asked"),
        bytes_read=bindparam("bytes"),
    )
)


@dataclass(frozen=True, slots=True)
class PassCounts:
    """What a pass has done so far."""

    tags_seen: int = 0
    tags_new: int = 0
    tags_moved: int = 0
    tags_failed: int = 0
    requests: int = 0
    bytes_read: int = 0


@dataclass(frozen=True, slots=True)
class OpenPass:
    """A pass under way.

    answered: tags that a process which was cut off has been answered about
    chunks:   pieces of the cursor that are kept already
    before:   what that process has counted
    complete_since: when the last complete pass began, None where that is not known
    """

    id: int
    answered: frozenset[str] = frozenset()
    chunks: int = 0
    before: PassCounts = PassCounts()
    complete_since: datetime | None = None

    @property
    def is_resumed(self) -> bool:
        return self.chunks > 0


@dataclass(frozen=True, slots=True)
class PassResult:
    """How a pass ended; the counts are of all processes that worked on it."""

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


COUNTS: Final = (
    "tags_seen",
    "tags_new",
    "tags_moved",
    "tags_gone",
    "tags_failed",
    "invalid_tags",
    "requests",
    "bytes_read",
)
"""Columns of `passes` that hold what a `PassResult` counts."""

_BEFORE: Final = Rows(
    select(
        _table.id,
        # Whoever begins one closes what was left open: only the newest can be.
        select(passes.c.ended_at.is_(None))
        .where(passes.c.repository_id == _table.id)
        .order_by(passes.c.id.desc())
        .limit(1)
        .scalar_subquery()
        .label("is_open"),
        select(passes.c.started_at)
        .where(
            passes.c.repository_id == _table.id,
            passes.c.ended_at == _table.last_complete_pass_at,
        )
        .order_by(passes.c.id.desc())
        .limit(1)
        .scalar_subquery()
        .label("complete_since"),
    ).where(among_ids(_table.id))
)
_LEFT: Final = (
    select(passes)
    .where(among_ids(passes.c.repository_id), passes.c.ended_at.is_(None))
    .order_by(passes.c.id.desc())
)
_INTERRUPT: Final = ChangedRows(
    passes,
    key=("id",),
    values=("ended_at",),
    also={
        "state": literal_column("'interrupted'"),
        "reason": literal_column("'process_ended'"),
    },
)
_RESUME: Final = (
    update(passes).where(among_ids(passes.c.id)).values(resumes=passes.c.resumes + 1)
)
_PIECES: Final = select(pass_chunks.c.pass_id, pass_chunks.c.names).where(
    among_ids(pass_chunks.c.pass_id)
)
_DROP: Final = delete(pass_chunks).where(among_ids(pass_chunks.c.pass_id))
_BEGIN: Final = NumberedRows(
    passes,
    "repository_id",
    "started_at",
    "state",
    "reason",
    "resumes",
    *COUNTS,
    key="repository_id",
)
_NOTHING_YET: Final = (0,) * len(COUNTS)


class Beginning(NamedTuple):
    """A pass that is to begin under a claim."""

    claim: Claim
    now: datetime
    resume_s: float


def open_passes(
    connection: Connection, beginnings: Sequence[Beginning]
) -> list[OpenPass]:
    """Begin the records of passes, or take those up that were cut off, if they began
    less than `resume_s` ago. An older one is closed as `interrupted`: what it saw is
    too old to build on.

    The claims are of different repositories and ours, and their rows are locked.
    """
    ids = sorted(map(_repository, beginnings))
    before = _BEFORE.read(connection, {"ids": listed(ids)})
    since = {repository: complete for repository, _, complete in before}
    left = _read_left(connection, [r for r, is_open, _ in before if is_open])
    resumed: dict[int, Row[Any]] = {}
    ended: list[tuple[int, datetime]] = []
    begun: list[tuple[object, ...]] = []
    for held, now, resume_s in sorted(beginnings, key=_repository):
        repository = held.repository_id
        rows = left.get(repository, [])
        if rows and _is_young(rows[0].started_at, now, resume_s):
            resumed[repository] = rows.pop(0)
        else:
            begun.append((repository, now, "running", "", 0, *_NOTHING_YET))
        ended += [(row.id, now) for row in rows]
    _INTERRUPT.set(connection, ended)
    drop_chunks(connection, [pass_id for pass_id, _ in ended])
    opened = _resume(connection, resumed, since)
    for repository, pass_id in _BEGIN.add(connection, begun).items():
        opened[repository] = OpenPass(pass_id, complete_since=since[repository])
    return [opened[_repository(beginning)] for beginning in beginnings]


def _repository(beginning: Beginning) -> int:
    return beginning.claim.repository_id


def _read_left(
    connection: Connection, repository_ids: Collection[int]
) -> dict[int, list[Row[Any]]]:
    """The passes that nobody has closed, newest first."""
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
) -> dict[int, OpenPass]:
    """Take these passes up, by repository."""
    if not resumed:
        return {}
    parameters = {"ids": listed([row.id for row in resumed.values()])}
    connection.execute(_RESUME, parameters)
    pieces: dict[int, list[list[str]]] = {}
    for pass_id, names in connection.execute(_PIECES, parameters):
        pieces.setdefault(pass_id, []).append(json.loads(names))
    return {
        repository: OpenPass(
            row.id,
            frozenset(name for piece in pieces.get(row.id, ()) for name in piece),
            len(pieces.get(row.id, ())),
            PassCounts(
                tags_seen=row.tags_seen,
                tags_new=row.tags_new,
                tags_moved=row.tags_moved,
                tags_failed=row.tags_failed,
                requests=row.requests,
                bytes_read=row.bytes_read,
            ),
            complete_since=since[repository],
        )
        for repository, row in resumed.items()
    }


def drop_chunks(connection: Connection, pass_ids: Collection[int]) -> None:
    """Forget the cursors of passes that have ended."""
    if pass_ids:
        connection.execute(_DROP, {"ids": listed(pass_ids)})


def note_answered(
    connection: Connection,
    pass_id: int,
    position: int,
    names: Collection[str],
    counts: PassCounts,
) -> None:
    """Move the cursor: these tags need not be asked again by this pass.

    To be called in the transaction that keeps what they are. A piece that is there
    already was kept by a commit whose answer was lost.
    """
    _NOTE.add(connection, [(pass_id, position, json.dumps(list(names)))])
    connection.execute(
        _COUNT,
        {
            "pass": pass_id,
            "seen": counts.tags_seen,
            "new": counts.tags_new,
            "moved": counts.tags_moved,
            "failed": counts.tags_failed,
            "asked": counts.requests,
            "bytes": counts.bytes_read,
        },
    )


def find_tag_error(connection: Connection, repository_id: int) -> str:
    """Why some tag of a repository could not be read the last time; "" if all could."""
    code: str | None = connection.execute(
        select(tags.c.error_code)
        .where(
            tags.c.repository_id == repository_id,
            tags.c.gone_at.is_(None),
            tags.c.error_code.is_not(None),
        )
        .order_by(tags.c.id)
        .limit(1)
    ).scalar()
    return code or ""
