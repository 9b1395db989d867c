"""Rows of `passes` and `pass_chunks`: what each look did, and how far it came.

A pass that was cut off is taken up again. Its cursor is the set of tags that it has
been answered about, kept in pieces by the transactions that kept what the tags are:
a listing may have any order and may change meanwhile, so that no name in it says
what lies before.
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
    insert,
    literal,
    select,
    update,
)

from weighbridge.domain.report import RepositoryState
from weighbridge.store.ahead import SLACK
from weighbridge.store.claiming import Claim, hold, is_ours, stale
from weighbridge.store.dialect import NewRows
from weighbridge.store.models import pass_chunks, passes, repositories, tags
from weighbridge.store.types import Moment

_table = repositories.c
_SAYS_NOTHING: Final[tuple[RepositoryState, ...]] = (
    "unreachable",
    "unauthorized",
    "error",
)
"""After such a pass a repository is as missing as it was."""
_IS_THERE: Final[tuple[RepositoryState, ...]] = ("ok", "partial")
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


def open_pass(
    connection: Connection, held: Claim, now: datetime, *, resume_s: float = 0
) -> OpenPass:
    """Begin the record of a pass, or take up the one that was cut off, if it began
    less than `resume_s` ago. Raises StaleFence.

    An older one is closed as `interrupted`: what it saw is too old to build on.
    """
    hold(connection, held, now)
    left = connection.execute(
        select(passes)
        .where(
            passes.c.repository_id == held.repository_id, passes.c.ended_at.is_(None)
        )
        .order_by(passes.c.id.desc())
    ).all()
    is_young = bool(left) and (
        now - timedelta(seconds=resume_s) < left[0].started_at <= now + SLACK
    )
    for row in left[is_young:]:
        _interrupt(connection, row.id, now)
    if not is_young:
        begun = _begin(connection, held, now)
        return OpenPass(begun, complete_since=_complete_since(connection, held))
    chosen = left[0]
    connection.execute(
        update(passes)
        .where(passes.c.id == chosen.id)
        .values(resumes=passes.c.resumes + 1)
    )
    names = connection.execute(
        select(pass_chunks.c.names).where(pass_chunks.c.pass_id == chosen.id)
    ).scalars()
    pieces = [json.loads(piece) for piece in names]
    return OpenPass(
        chosen.id,
        frozenset(name for piece in pieces for name in piece),
        len(pieces),
        PassCounts(
            tags_seen=chosen.tags_seen,
            tags_new=chosen.tags_new,
            tags_moved=chosen.tags_moved,
            tags_failed=chosen.tags_failed,
            requests=chosen.requests,
            bytes_read=chosen.bytes_read,
        ),
        complete_since=_complete_since(connection, held),
    )


def _complete_since(connection: Connection, held: Claim) -> datetime | None:
    if held.last_complete_pass_at is None:
        return None
    at: datetime | None = connection.execute(
        select(passes.c.started_at)
        .where(
            passes.c.repository_id == held.repository_id,
            passes.c.ended_at == held.last_complete_pass_at,
        )
        .order_by(passes.c.id.desc())
        .limit(1)
    ).scalar()
    return at


def _begin(connection: Connection, held: Claim, now: datetime) -> int:
    begun: int = connection.execute(
        insert(passes)
        .values(
            repository_id=held.repository_id,
            started_at=now,
            state="running",
            reason="",
            resumes=0,
            **dict.fromkeys(_COUNTS, 0),
        )
        .returning(passes.c.id)
    ).scalar_one()
    return begun


def _interrupt(connection: Connection, pass_id: int, now: datetime) -> None:
    connection.execute(
        update(passes)
        .where(passes.c.id == pass_id)
        .values(ended_at=now, state="interrupted", reason="process_ended")
    )
    _drop_chunks(connection, pass_id)


def _drop_chunks(connection: Connection, pass_id: int) -> None:
    connection.execute(delete(pass_chunks).where(pass_chunks.c.pass_id == pass_id))


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


def close_pass(
    connection: Connection,
    held: Claim,
    pass_id: int,
    result: PassResult,
    now: datetime,
    due_at: datetime,
) -> None:
    """Keep how a pass ended and give the claim back. Raises StaleFence.

    Nothing happens where this has been done already and nobody knew: the answer to
    a commit can be lost.

    A repository that was gone is back once it answers; until then it stays gone,
    whatever the catalog says.
    """
    is_there = result.state in _IS_THERE
    state = result.state if is_there else _unless_gone(result.state)
    is_same = _table.state == state
    closed = connection.execute(
        update(repositories)
        .where(*is_ours(held))
        .values(
            state_since=case(
                (is_same, _table.state_since), else_=literal(now, Moment())
            ),
            state=state,
            state_reason=result.reason,
            gone_at=None if is_there else _table.gone_at,
            last_pass_at=now,
            last_complete_pass_at=now
            if result.complete
            else _not_to_come(_table.last_complete_pass_at, now),
            complete_passes=_table.complete_passes + int(result.complete),
            # From now on whatever comes is somebody's push.
            is_silent=False if result.complete else _table.is_silent,
            missing_passes=_missing_passes(result),
            held=json.dumps(sorted(result.held)) if result.held else None,
            due_at=due_at,
            lease_until=None,
            lease_owner=None,
            attempts=0,
            requests=_table.requests + result.requests,
            bytes_read=_table.bytes_read + result.bytes_read,
            revision=_table.revision + 1,
        )
    )
    if closed.rowcount != 1:
        if _is_closed(connection, held, pass_id):
            return
        raise stale(held)
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
    _drop_chunks(connection, pass_id)


def _is_closed(connection: Connection, held: Claim, pass_id: int) -> bool:
    """Whether the claim was given back by closing this pass, and is nobody's since."""
    closed = connection.execute(
        select(passes.c.id)
        .join(repositories, _table.id == passes.c.repository_id)
        .where(
            passes.c.id == pass_id,
            passes.c.ended_at.is_not(None),
            _table.id == held.repository_id,
            _table.fence == held.fence,
        )
    ).one_or_none()
    return closed is not None


def _not_to_come(
    column: ColumnElement[datetime | None], now: datetime
) -> ColumnElement[datetime | None]:
    """A clock that was ahead has written it; it would look fresh until then."""
    return case((column > now + SLACK, literal(now, Moment())), else_=column)


def _unless_gone(state: RepositoryState) -> ColumnElement[str]:
    return case((_table.gone_at.is_not(None), "gone"), else_=state)


def _missing_passes(result: PassResult) -> object:
    if result.state == "missing":
        return _table.missing_passes + 1
    return _table.missing_passes if result.state in _SAYS_NOTHING else 0


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
