"""Chooses the due repositories that one job crawls."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, case, func, literal, select, tuple_

from weighbridge.store.crawls.due import is_due
from weighbridge.store.dialect import among_ids, listed, settles_at_once
from weighbridge.store.models import repositories, repository_summaries
from weighbridge.store.models.types import Moment

_OF_NEW: Final = 3
"""Requests that a repository costs which was never crawled, as far as anybody knows."""

_table = repositories.c
_summary = repository_summaries.c
_REQUESTS: Final = case(
    (_table.last_crawl_at.is_(None), _OF_NEW),
    else_=1
    + func.coalesce(
        select(_summary.tag_count)
        .where(_summary.repository_id == _table.id)
        .scalar_subquery(),
        0,
    ),
)


class Slice(NamedTuple):
    """Due repositories of a registry, as many as one job crawls.

    owner:         this very claim, see `process_mark.one_claim`
    resume_s:      see `Opening`
    most_requests: that they cost, as far as is known; one repository may cost more
    most:          repositories
    is_suspect:    of those whose last crawl did not come to an end, else of others:
                   one of them may end whatever process has it
    """

    registry_id: int
    now: datetime
    lease_s: float
    owner: str
    resume_s: float
    most_requests: int
    most: int
    is_suspect: bool = False


class _Candidate(NamedTuple):
    id: int
    due_at: datetime
    requests: int


def choose(connection: Connection, wanted: Slice) -> list[int]:
    """Their ids, longest due first, locked by us. None of a registry that is
    unreachable: it is asked itself first.

    Several who choose at once share nothing, and do not wait for each other: what
    somebody else has locked is left out. Nothing is locked that does not fit.
    """
    chosen: list[int] = []
    page: Sequence[_Candidate] = ()
    last: _Candidate | None = None
    left = wanted.most_requests
    while len(chosen) < wanted.most:
        page = page or _page(connection, wanted, last)
        part = _fitting(page, left, wanted.most - len(chosen))
        if not part and not chosen:
            part = page[:1]
        if not part:
            break
        page, last = page[len(part) :], part[-1]
        ours = _lock(connection, wanted, part)
        chosen += [candidate.id for candidate in ours]
        left -= sum(candidate.requests for candidate in ours)
    return chosen


def _page(
    connection: Connection, wanted: Slice, last: _Candidate | None
) -> list[_Candidate]:
    """What is due, after that one."""
    key = tuple_(_table.due_at, _table.id)
    after = (
        () if last is None else (key > tuple_(literal(last.due_at, Moment()), last.id),)
    )
    rows = connection.execute(
        select(_table.id, _table.due_at, _REQUESTS)
        .where(*_is_wanted(wanted), *after)
        .order_by(_table.due_at, _table.id)
        .limit(wanted.most)
    )
    return [_Candidate(*row) for row in rows]


def _is_wanted(wanted: Slice) -> tuple[ColumnElement[bool], ...]:
    starts = _table.attempts > 0 if wanted.is_suspect else _table.attempts == 0
    return (*is_due(wanted.registry_id, wanted.now), starts)


def _fitting(
    page: Sequence[_Candidate], most_requests: int, most: int
) -> Sequence[_Candidate]:
    """The first ones that together cost no more."""
    for number, candidate in enumerate(page[:most]):
        most_requests -= candidate.requests
        if most_requests < 0:
            return page[:number]
    return page[:most]


def _lock(
    connection: Connection, wanted: Slice, part: Sequence[_Candidate]
) -> Sequence[_Candidate]:
    """Those that are due still and that nobody else has locked."""
    if settles_at_once(connection.dialect):
        return part
    locked = connection.execute(
        select(_table.id)
        .where(among_ids(_table.id), *_is_wanted(wanted))
        .with_for_update(of=repositories, skip_locked=True),
        {"ids": listed([candidate.id for candidate in part])},
    )
    ids = set(locked.scalars())
    return [candidate for candidate in part if candidate.id in ids]
