"""Rows of `crawl_requests`: what somebody asked to be crawled now, how far it is, and
what the crawls of its repositories came to.

A request does no work. It makes repositories due at the moment of asking; who crawls
them is whoever crawls what is due. It has come to its end when none of them is due
since then.
"""

import json
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import asdict, replace
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    cast,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from weighbridge.domain.access.principal import Sight
from weighbridge.domain.report.inventory import RepositoryState
from weighbridge.store.dialect import among_ids, among_texts, listed
from weighbridge.store.dialect.server import Purpose, lock
from weighbridge.store.leases.validity import is_leased, is_past
from weighbridge.store.models import crawl_requests, crawls, registries, repositories
from weighbridge.store.session import lock_repositories

RequestState: TypeAlias = Literal[
    "listing", "crawling", "measuring", "done", "failed", "interrupted"
]
"""`listing`: which repositories there are is being found out; `done`: each was crawled,
which does not say that each could be read; `failed`: the registry could not be asked;
`interrupted`: whoever waited for it ended, and nobody took it over, or nobody ever saw
to it."""
_repository = repositories.c
_SAYS_NOTHING: Final[tuple[RepositoryState, ...]] = (
    "new",
    "unreachable",
    "unauthorized",
    "error",
)
"""States in which a repository is worth another crawl by a request that was cut off."""
_table = crawl_requests.c
_IS_OPEN: Final = _table.ended_at.is_(None)
_SELECT: Final = select(crawl_requests, registries.c.name.label("registry")).join(
    registries, registries.c.id == _table.registry_id
)


class CrawlRequest(Struct, frozen=True):
    """A request, as it stands.

    names:      of the repositories; None: all that the registry has
    owner:      the process that waits for it; None: nobody does
    measures:   whether layers are measured before it ends
    known:      how many repositories it is about; None: not listed yet
    after_crawl_id: the last crawl that had begun before it was made: no clock tells
                which came before
    is_resumed: it was cut off, and is taken up
    is_joined:  it is somebody else's, for the same, and goes on
    """

    id: int
    registry_id: int
    registry: str
    names: tuple[str, ...] | None
    measures: bool
    asked_at: datetime
    state: RequestState
    reason: str
    known: int | None
    crawled_at: datetime | None
    ended_at: datetime | None
    after_crawl_id: int
    counts: "RequestTotals | None" = None
    owner: str | None = None
    is_resumed: bool = False
    is_joined: bool = False


class RequestTotals(Struct, frozen=True):
    """What the crawls of a request's repositories came to, whoever made them."""

    complete: int = 0
    partial: int = 0
    failed: int = 0
    tags: int = 0
    requests: int = 0
    bytes_read: int = 0


class CrawledRepository(Struct, frozen=True):
    """The last crawl of a repository since a request was made."""

    repository_id: int
    repository: str
    state: RepositoryState
    reason: str
    tags: int
    requests: int
    bytes_read: int
    ended_at: datetime


def crawled_since(
    connection: Connection, request: CrawlRequest, after: int, most: int
) -> list[CrawledRepository]:
    """What crawls have found of a request's repositories, a page by their ids."""
    last = _last_crawls(
        request,
        _repository.id,
        _repository.name,
        crawls.c.state,
        crawls.c.reason,
        crawls.c.tags_seen,
        crawls.c.requests,
        crawls.c.bytes_read,
        crawls.c.ended_at,
    )
    page = last.where(_repository.id > after).order_by(_repository.id).limit(most)
    rows = connection.execute(page, _names(request))
    return [CrawledRepository(*row) for row in rows]


def count(connection: Connection, request: CrawlRequest) -> RequestTotals:
    """What the crawls of a request's repositories came to so far."""
    state = crawls.c.state
    conditions = (state == "ok", state == "partial", state.not_in(("ok", "partial")))
    added = (crawls.c.tags_seen, crawls.c.requests, crawls.c.bytes_read)
    sums = _last_crawls(
        request,
        *(func.count().filter(condition) for condition in conditions),
        *(cast(func.coalesce(func.sum(column), 0), BigInteger) for column in added),
    )
    return RequestTotals(*connection.execute(sums, _names(request)).one())


def _last_crawls(
    request: CrawlRequest, *columns: ColumnElement[Any]
) -> Select[*tuple[Any, ...]]:
    """The crawl of each of a request's repositories that was the last to end since the
    request was made."""
    last = (
        select(func.max(crawls.c.id))
        .where(
            crawls.c.repository_id == _repository.id,
            or_(
                crawls.c.id > request.after_crawl_id,
                crawls.c.ended_at > request.asked_at,
            ),
            crawls.c.ended_at.is_not(None),
        )
        .correlate(repositories)
        .scalar_subquery()
    )
    return (
        select(*columns)
        .select_from(repositories)
        .join(crawls, and_(crawls.c.id == last, crawls.c.state != "interrupted"))
        .where(_repository.registry_id == request.registry_id, *_are_named(request))
    )


def _are_named(request: CrawlRequest) -> tuple[ColumnElement[bool], ...]:
    return () if request.names is None else (among_texts(_repository.name),)


def _are_wanted(request: CrawlRequest) -> tuple[ColumnElement[bool], ...]:
    """The repositories that are to be crawled for a request."""
    those = _are_named(request) or (_repository.deleted_at.is_(None),)
    return (_repository.registry_id == request.registry_id, *those)


def _names(request: CrawlRequest) -> dict[str, object]:
    """The parameter of these conditions."""
    return {"names": listed(request.names or ())}


def put_request(
    connection: Connection,
    registry_id: int,
    names: Sequence[str] | None,
    *,
    measures: bool,
    now: datetime,
    owner: str | None,
    lease_s: float,
    resume_s: float,
) -> CrawlRequest:
    """Ask for a crawl, or take up the same one that was cut off less than `resume_s`
    ago: what it had crawled then need not be crawled again. Where nobody waits for it,
    the same one that is under way will do.

    owner: who waits for it, see `validity.one_claim`; None: nobody
    """
    lock(connection, Purpose.ASK, registry_id)
    text = None if names is None else json.dumps(sorted(names))
    if owner is None:
        same = _table.repositories.is_not_distinct_from(text)
        of_registry = _table.registry_id == registry_id
        for row in _rows(connection, of_registry, same, _IS_OPEN):
            if row.owner is None or _is_waiting(row, now):
                return replace(_request(row), is_joined=True)
    until = None if owner is None else now + timedelta(seconds=lease_s)
    for row in _rows(connection, _table.registry_id == registry_id, _IS_OPEN):
        is_own = owner is not None and row.owner == owner
        is_same = row.repositories == text and row.owner is not None
        is_left = not _is_waiting(row, now)
        if is_own or (is_same and is_left):
            this = update(crawl_requests).where(_table.id == row.id)
            is_young = row.asked_at > now - timedelta(seconds=resume_s)
            if not is_own and not (is_young and is_past(row.asked_at, now)):
                connection.execute(
                    this.values(
                        state="interrupted", reason="process_ended", ended_at=now
                    )
                )
                continue
            values = {"owner": owner, "lease_until": until, "measures": measures}
            connection.execute(this.values(**values))
            found = find_request(connection, row.id)
            assert found is not None, "it was there"  # noqa: S101
            _crawl_again(connection, found)
            return replace(found, is_resumed=not is_own)
    number: int = connection.execute(
        insert(crawl_requests)
        .values(
            registry_id=registry_id,
            repositories=text,
            measures=measures,
            asked_at=now,
            after_crawl_id=select(
                func.coalesce(func.max(crawls.c.id), 0)
            ).scalar_subquery(),
            owner=owner,
            lease_until=until,
            state="listing",
            reason="",
        )
        .returning(_table.id)
    ).scalar_one()
    added = find_request(connection, number)
    assert added is not None, "it was added"  # noqa: S101
    return added


def find_request(connection: Connection, request_id: int) -> CrawlRequest | None:
    """A request by its id, also one that has ended."""
    rows = _rows(connection, _table.id == request_id)
    return _request(rows[0]) if rows else None


def open_requests(
    connection: Connection, registry_id: int | None = None
) -> list[CrawlRequest]:
    """Those that have not ended, of one registry or of all; oldest first."""
    of = () if registry_id is None else (_table.registry_id == registry_id,)
    return [_request(row) for row in _rows(connection, _IS_OPEN, *of)]


def is_waited_for(connection: Connection, registry_id: int, now: datetime) -> bool:
    """Whether a process that lives waits for a crawl of a registry."""
    return any(
        row.owner and _is_waiting(row, now)
        for row in _rows(connection, _table.registry_id == registry_id, _IS_OPEN)
    )


def _is_waiting(row: Row[*tuple[Any, ...]], now: datetime) -> bool:
    """Whether whoever waits for a request still does, as far as that is known."""
    return is_leased(row.lease_until, row.owner, now)


LOOKED_THROUGH: Final = 1_000
"""Requests among which those are looked for that are seen."""


def latest_requests(
    connection: Connection, most: int, sight: Sight | None = None
) -> list[CrawlRequest]:
    """Those that were made last, open or not; the newest first.

    sight: which repositories are seen, None: all; see `is_seen`
    """
    among = most if sight is None else LOOKED_THROUGH
    newest = _SELECT.order_by(_table.id.desc()).limit(among)
    found = map(_request, connection.execute(newest).all())
    seen = (each for each in found if is_seen(connection, each, sight))
    return list(islice(seen, most))


def is_seen(connection: Connection, request: CrawlRequest, sight: Sight | None) -> bool:
    """Whether it is about repositories alone that are seen: all that a registry has
    would tell how many the others are."""
    if sight is None:
        return True
    if request.names is None:
        return False
    known = select(_repository.id).where(*_are_wanted(request))
    ids = connection.execute(known, _names(request)).scalars().all()
    return len(ids) == len(request.names) and sight.ids.issuperset(ids)


def quiet_moments(connection: Connection, registry_id: int) -> frozenset[datetime]:
    """When the requests of a registry were made that are under way. What is due since
    such a moment is due only because somebody asked: nobody else is to be notified."""
    rows = connection.execute(
        select(_table.asked_at).where(_table.registry_id == registry_id, _IS_OPEN)
    )
    return frozenset(rows.scalars())


def make_repositories_due(
    connection: Connection, request: CrawlRequest, repository_ids: Collection[int]
) -> None:
    """Have repositories crawled that were not since the request was made."""
    ids = sorted(repository_ids)
    lock_repositories(connection, ids)
    connection.execute(
        update(repositories)
        .where(
            among_ids(_repository.id),
            _repository.due_at > request.asked_at,
            or_(~_is_crawled(request), _repository.state == "new"),
        )
        .values(due_at=request.asked_at),
        {"ids": listed(ids)},
    )


def note_listed_for(
    connection: Connection,
    request_ids: Collection[int],
    known: int,
    reason: str,
) -> None:
    """The repositories of requests are known, so many, and due."""
    connection.execute(
        update(crawl_requests)
        .where(_table.id.in_(list(request_ids)), _table.state == "listing")
        .values(state="crawling", known=known, reason=reason)
    )


def note_measuring(connection: Connection, request_id: int, now: datetime) -> bool:
    """All is crawled; what is left is to be measured. False where somebody else has
    noted that."""
    noted = connection.execute(
        update(crawl_requests)
        .where(_table.id == request_id, _table.state == "crawling")
        .values(state="measuring", crawled_at=now)
    )
    return noted.rowcount == 1


def count_left(connection: Connection, request: CrawlRequest, most: int) -> int:
    """How many repositories of the request wait to be crawled, or are being crawled, as
    far as `most`."""
    some = select(_repository.id).where(
        *_are_wanted(request), _repository.due_at <= request.asked_at
    )
    if request.names is None:
        # PostgreSQL else reads the table until it has as many.
        some = some.order_by(_repository.due_at)
    found = select(func.count()).select_from(some.limit(most).subquery())
    left: int = connection.execute(found, _names(request)).scalar_one()
    return left


def renew_requests(
    connection: Connection, owner: str, now: datetime, lease_s: float
) -> None:
    """Say that somebody still waits."""
    connection.execute(
        update(crawl_requests)
        .where(_table.owner == owner, _IS_OPEN)
        .values(lease_until=now + timedelta(seconds=lease_s))
    )


def note_handled(
    connection: Connection, request: CrawlRequest, now: datetime, lease_s: float
) -> None:
    """Say that somebody sees to a request that nobody waits for. Little is written:
    many processes say so of one, again and again."""
    until = now + timedelta(seconds=lease_s)
    connection.execute(
        update(crawl_requests)
        .where(
            _table.id == request.id,
            _table.owner.is_(None),
            _IS_OPEN,
            or_(_table.lease_until.is_(None), _table.lease_until <= now),
        )
        .values(lease_until=until)
    )


def end_forgotten(connection: Connection, now: datetime, resume_s: float) -> list[int]:
    """End the requests that nobody has waited for or seen to for so long, as nobody
    may ever: their registry is in no configuration, or nothing crawls. Their ids."""
    before = now - timedelta(seconds=resume_s)
    since = func.coalesce(_table.lease_until, _table.asked_at)
    forgotten = connection.execute(
        update(crawl_requests)
        .where(_IS_OPEN, since < before)
        .values(state="interrupted", reason="nobody_crawls", ended_at=now)
        .returning(_table.id)
    )
    return sorted(forgotten.scalars())


def end_request(
    connection: Connection,
    request: CrawlRequest,
    state: RequestState,
    reason: str,
    now: datetime,
) -> None:
    """A request has come to its end; nothing happens where it had already."""
    connection.execute(
        update(crawl_requests)
        .where(_table.id == request.id, _IS_OPEN)
        .values(
            state=state,
            reason=reason,
            ended_at=now,
            **asdict(count(connection, request)),
        )
    )


def _crawl_again(connection: Connection, request: CrawlRequest) -> None:
    """Those of a request that was cut off of which nothing was learned since."""
    again = select(_repository.id).where(
        *_are_wanted(request),
        _repository.due_at > request.asked_at,
        or_(~_is_crawled(request), _repository.state.in_(_SAYS_NOTHING)),
    )
    ids = sorted(connection.execute(again, _names(request)).scalars())
    lock_repositories(connection, ids)
    connection.execute(
        update(repositories)
        .where(among_ids(_repository.id))
        .values(due_at=request.asked_at),
        {"ids": listed(ids)},
    )


def _is_crawled(request: CrawlRequest) -> ColumnElement[bool]:
    """Whether a repository was, from beginning to end, since a request was made."""
    return exists().where(
        crawls.c.repository_id == _repository.id,
        crawls.c.id > request.after_crawl_id,
        crawls.c.ended_at.is_not(None),
    )


def _rows(
    connection: Connection, *conditions: ColumnElement[bool]
) -> Sequence[Row[*tuple[Any, ...]]]:
    return connection.execute(_SELECT.where(*conditions).order_by(_table.id)).all()


def _request(row: Row[*tuple[Any, ...]]) -> CrawlRequest:
    text = row.repositories
    counts = None
    if row.complete is not None:
        counts = RequestTotals(
            *(row._mapping[name] for name in RequestTotals.__struct_fields__)
        )
    return CrawlRequest(
        id=row.id,
        registry_id=row.registry_id,
        registry=row.registry,
        names=None if text is None else tuple(json.loads(text)),
        measures=row.measures,
        asked_at=row.asked_at,
        state=row.state,
        reason=row.reason,
        known=row.known,
        crawled_at=row.crawled_at,
        ended_at=row.ended_at,
        after_crawl_id=row.after_crawl_id,
        counts=counts,
        owner=row.owner,
    )
