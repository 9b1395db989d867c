"""Which repositories are due, which are left alone for a while, and how the crawls of
many begin by a few statements for all: which of the due ones one job crawls, their
claims, their crawls, and what is known of each. A repository in other hands drops out
alone.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    bindparam,
    case,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
    type_coerce,
    update,
)

from weighbridge.store.crawls.crawl_rows import OpenCrawl, open_crawls
from weighbridge.store.dialect import (
    Rows,
    among_ids,
    among_texts,
    listed,
    settles_at_once,
)
from weighbridge.store.leases.claiming import (
    STARTS,
    Claim,
    Opening,
    claim_many,
    is_free,
)
from weighbridge.store.leases.validity import has_ended
from weighbridge.store.ledger.expressions import HAS_FACTS
from weighbridge.store.models import (
    blobs,
    images,
    registries,
    repositories,
    repository_manifests,
    repository_summaries,
    tags,
)
from weighbridge.store.models.types import Moment
from weighbridge.store.session import lock_repositories
from weighbridge.store.tags.applying import KNOWN_TAGS, KnownTag


def is_due(
    registry_id: ColumnElement[int] | int, now: datetime
) -> tuple[ColumnElement[bool], ...]:
    """Repositories of a registry whose time has come and that nobody works on. None
    of one that is unreachable: it is asked itself first."""
    return (
        repositories.c.registry_id == registry_id,
        repositories.c.due_at <= now,
        repositories.c.deleted_at.is_(None),
        is_free(now),
        exists().where(
            registries.c.id == registry_id, registries.c.state != "unreachable"
        ),
    )


def is_any_due(connection: Connection, registry: str, now: datetime) -> bool:
    """Whether a repository of a registry is due that nobody works on."""
    registry_id = (
        select(registries.c.id).where(registries.c.name == registry).scalar_subquery()
    )
    due = (
        select(repositories.c.id)
        .where(*is_due(registry_id, now))
        .order_by(repositories.c.due_at)
    )
    return connection.execute(due.limit(1)).first() is not None


def put_off(
    connection: Connection, repository_ids: Collection[int], due_at: datetime
) -> None:
    """Have repositories crawled no sooner than that, unless somebody does now."""
    lock_repositories(connection, sorted(repository_ids))
    connection.execute(
        update(repositories)
        .where(among_ids(repositories.c.id), repositories.c.due_at < due_at)
        .values(due_at=due_at),
        {"ids": listed(sorted(repository_ids))},
    )


def have_due(
    connection: Connection, repository_ids: Collection[int], now: datetime
) -> None:
    """Have repositories crawled as soon as may be, and one that is being crawled just
    now once more after that: its crawl may be beyond what it is asked for."""
    lock_repositories(connection, sorted(repository_ids))
    # Whoever has a claim tells by the time that there is such a wish: it is another
    # one than the claim has, however often and at whatever moment it is wished.
    sooner = type_coerce(repositories.c.due_at, BigInteger) - 1
    is_to_come = repositories.c.due_at > now
    connection.execute(
        update(repositories)
        .where(
            among_ids(repositories.c.id),
            or_(is_to_come, repositories.c.lease_until.is_not(None)),
        )
        .values(
            due_at=case(
                (is_to_come, literal(now, Moment())),
                else_=type_coerce(sooner, Moment()),
            )
        ),
        {"ids": listed(sorted(repository_ids))},
    )


def free_left_behind(connection: Connection, now: datetime) -> int:
    """Free the repositories of processes that are known to have ended, so that nobody
    waits for their leases; how many. Of another machine's processes we know nothing."""
    held = connection.execute(
        select(repositories.c.id, repositories.c.lease_owner).where(
            # By the index of what is in hand, which is little.
            repositories.c.lease_owner.is_not(None),
            repositories.c.lease_until > now,
        )
    ).all()
    ended = {mark for mark in {row.lease_owner for row in held} if has_ended(mark)}
    ids = sorted(row.id for row in held if row.lease_owner in ended)
    if not ids:
        return 0
    lock_repositories(connection, ids)
    freed = connection.execute(
        update(repositories)
        .where(
            among_ids(repositories.c.id),
            among_texts(repositories.c.lease_owner, "owners"),
        )
        .values(lease_until=None, lease_owner=None),
        {"ids": listed(ids), "owners": listed(sorted(ended))},
    )
    return freed.rowcount


def park_poison(connection: Connection, now: datetime) -> list[str]:
    """Mark the repositories whose crawls were begun `STARTS` times in vain, as whatever
    is in them ends the process; returns their names. When they are due again has been
    said by their last claim."""
    is_poison = (
        # As a constant: only so the planners know that the index has them all.
        repositories.c.attempts >= literal_column(str(STARTS)),
        repositories.c.deleted_at.is_(None),
        repositories.c.state_reason != "poison",
        is_free(now),
    )
    ids = list(
        connection.execute(select(repositories.c.id).where(*is_poison)).scalars()
    )
    if not ids:
        return []
    lock_repositories(connection, ids)
    parked = connection.execute(
        update(repositories)
        .where(among_ids(repositories.c.id), *is_poison)
        .values(
            state="error",
            state_reason="poison",
            state_since=now,
            lease_until=None,
            lease_owner=None,
            revision=repositories.c.revision + 1,
        )
        .returning(repositories.c.name),
        {"ids": listed(ids)},
    )
    return sorted(parked.scalars())


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

    owner:         this very claim, see `validity.one_claim`
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
