"""What begins the crawls of many repositories by a few statements for all: which of the
due ones one job crawls, their claims, their crawls, and what is known of each. A
repository in other hands drops out alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from weighbridge.store.crawls.crawl_rows import OpenCrawl, open_crawls
from weighbridge.store.crawls.due import is_due
from weighbridge.store.dialect import (
    Rows,
    among_ids,
    listed,
    settles_at_once,
)
from weighbridge.store.leases.claiming import (
    Claim,
    Opening,
    claim_many,
)
from weighbridge.store.ledger.expressions import HAS_FACTS
from weighbridge.store.models import (
    blobs,
    images,
    repositories,
    repository_manifests,
    repository_summaries,
    tags,
)
from weighbridge.store.models.types import Moment
from weighbridge.store.tags.applying import KNOWN_TAGS, KnownTag

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


SMALL: Final = 200
"""A repository with more live tags is not read as a whole when it is opened."""

_live = repository_manifests.c
_KNOWN: Final = Rows(
    KNOWN_TAGS.add_columns(tags.c.repository_id).where(among_ids(tags.c.repository_id))
)
# With a limit, so that PostgreSQL looks for one in each repository, and does not join
# all that there is where nobody has counted it yet.
_LACKING: Final = Rows(
    select(_table.id).where(
        among_ids(_table.id),
        select(_live.manifest_id)
        .join_from(repository_manifests, blobs, blobs.c.id == _live.manifest_id)
        .outerjoin(images, images.c.id == _live.manifest_id)
        .where(
            _live.repository_id == _table.id,
            or_(~HAS_FACTS, images.c.problems.is_not(None)),
        )
        .limit(1)
        .scalar_subquery()
        .is_not(None),
    )
)
_WITH_TAGS: Final = Rows(
    select(_table.id).where(
        among_ids(_table.id), exists().where(tags.c.repository_id == _table.id)
    )
)
_MADE_BEFORE: Final = (
    select(_table.id)
    .where(
        _table.registry_id == bindparam("registry"),
        _table.lease_owner == bindparam("owner"),
    )
    .order_by(_table.due_at, _table.id)
)


class Opened(Struct, frozen=True):
    """A repository that may be crawled, and what is known of it.

    known:    its live tags; None: more than `SMALL`, to be read by pages
    is_whole: they are here, and nothing that they lead to lacks facts
    has_tags: or had; False: nothing of it was ever kept
    """

    claim: Claim
    opened: OpenCrawl
    known: Mapping[str, KnownTag] | None
    is_whole: bool
    has_tags: bool


def open_many(
    connection: Connection, openings: Sequence[Opening]
) -> list[Opened | None]:
    """Claim repositories and begin their crawls; None for each that another process
    has, or, where it is wanted so, that is not due."""
    claims = claim_many(connection, openings)
    # Of two who take one repository in a batch the last one has it.
    ours = {held.repository_id: held for held in claims if held is not None}
    taken = [
        opening
        for held, opening in zip(claims, openings, strict=True)
        if held is not None and held is ours[held.repository_id]
    ]
    if not taken:
        return [None] * len(openings)
    begun = open_crawls(connection, taken)
    found = _known(connection, ours.values())
    return [
        Opened(held, begun[held.repository_id], *found[held.repository_id])
        if held is not None and held is ours[held.repository_id]
        else None
        for held in claims
    ]


def _known(
    connection: Connection, claims: Iterable[Claim]
) -> dict[int, tuple[Mapping[str, KnownTag] | None, bool, bool]]:
    """`known`, `is_whole` and `has_tags` of `Opened`."""
    counts = {held.repository_id: held.tags for held in claims}
    known: dict[int, dict[str, KnownTag]] = {
        number: {} for number, count in counts.items() if count <= SMALL
    }
    filled = [number for number in known if counts[number]]
    lacking: set[int] = set()
    if filled:
        parameters = {"ids": listed(filled)}
        for name, *rest, number in _KNOWN.read(connection, parameters):
            known[number][name] = KnownTag(*rest)
        lacking = {number for (number,) in _LACKING.read(connection, parameters)}
    empty = [number for number, count in counts.items() if not count]
    had: set[int] = set()
    if empty:
        rows = _WITH_TAGS.read(connection, {"ids": listed(empty)})
        had = {number for (number,) in rows}
    return {
        number: (
            known.get(number),
            number in known and number not in lacking,
            bool(count) or number in had,
        )
        for number, count in counts.items()
    }


def open_slice(connection: Connection, wanted: Slice) -> list[Opened]:
    """Open the repositories of a registry that have been due longest. None of one that
    is unreachable: it is asked itself first.

    Several who do this at once share nothing and never wait for each other. Who does
    it again, because nobody knows whether the first time was committed, is given the
    same ones.
    """
    made = _made_before(connection, wanted)
    ids = made or choose(connection, wanted)
    openings = [
        Opening(
            number,
            wanted.now,
            wanted.lease_s,
            wanted.owner,
            only_due=not made,
            resume_s=wanted.resume_s,
        )
        for number in ids
    ]
    opened = open_many(connection, openings) if openings else []
    return [one for one in opened if one is not None]


def _made_before(connection: Connection, wanted: Slice) -> list[int]:
    parameters = {"registry": wanted.registry_id, "owner": wanted.owner}
    return list(connection.execute(_MADE_BEFORE, parameters).scalars())
