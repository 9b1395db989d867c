"""What the crawls of the repositories came to that somebody asked for."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, get_args

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    cast,
    func,
    or_,
    select,
)

from weighbridge.domain.report.inventory import RepositoryState
from weighbridge.store.dialect import among_texts, listed
from weighbridge.store.dialect.rows import Rows
from weighbridge.store.models import crawls, repositories

RequestState: TypeAlias = Literal[
    "listing", "crawling", "measuring", "done", "failed", "interrupted"
]
REQUEST_STATES: Final[tuple[RequestState, ...]] = get_args(RequestState)
"""`listing`: which repositories there are is being found out; `done`: each was crawled,
which does not say that each could be read; `failed`: the registry could not be asked;
`interrupted`: whoever waited for it ended, and nobody took it over, or nobody ever saw
to it."""
_repository = repositories.c

_LAST: Final = (
    select(func.max(crawls.c.id))
    .where(
        crawls.c.repository_id == _repository.id,
        or_(
            crawls.c.id > bindparam("after_crawl_id"),
            crawls.c.ended_at > bindparam("asked_at"),
        ),
        crawls.c.ended_at.is_not(None),
    )
    .correlate(repositories)
    .scalar_subquery()
)
"""The crawl of a repository that was the last to end since a request was made."""


def _of_request(
    columns: Sequence[ColumnElement[Any]], *, is_named: bool
) -> Select[*tuple[Any, ...]]:
    """Of the last crawl of each of a request's repositories."""
    named = (among_texts(_repository.name),) if is_named else ()
    return (
        select(*columns)
        .select_from(repositories)
        .join(crawls, and_(crawls.c.id == _LAST, crawls.c.state != "interrupted"))
        .where(_repository.registry_id == bindparam("registry"), *named)
    )


def _page(*, is_named: bool) -> Rows[*tuple[Any, ...]]:
    columns = (
        _repository.id,
        _repository.name,
        crawls.c.state,
        crawls.c.reason,
        crawls.c.tags_seen,
        crawls.c.requests,
        crawls.c.bytes_read,
        crawls.c.ended_at,
    )
    return Rows(
        _of_request(columns, is_named=is_named)
        .where(_repository.id > bindparam("after"))
        .order_by(_repository.id)
        .limit(bindparam("most"))
    )


def _sums(*, is_named: bool) -> Select[*tuple[Any, ...]]:
    """A row of `RequestTotals`."""
    state = crawls.c.state
    conditions = (state == "ok", state == "partial", state.not_in(("ok", "partial")))
    added = (crawls.c.tags_seen, crawls.c.requests, crawls.c.bytes_read)
    columns = (
        *(func.count().filter(condition) for condition in conditions),
        *(cast(func.coalesce(func.sum(column), 0), BigInteger) for column in added),
    )
    return _of_request(columns, is_named=is_named)


_PAGE: Final = _page(is_named=False)
_PAGE_OF_NAMED: Final = _page(is_named=True)
_SUMS: Final = _sums(is_named=False)
_SUMS_OF_NAMED: Final = _sums(is_named=True)


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
    parameters: dict[str, object] = {
        **_parameters(request),
        "after": after,
        "most": most,
    }
    rows = _PAGE if request.names is None else _PAGE_OF_NAMED
    return [CrawledRepository(*row) for row in rows.read(connection, parameters)]


def count(connection: Connection, request: CrawlRequest) -> RequestTotals:
    """What the crawls of a request's repositories came to so far."""
    statement = _SUMS if request.names is None else _SUMS_OF_NAMED
    return RequestTotals(*connection.execute(statement, _parameters(request)).one())


def _parameters(request: CrawlRequest) -> dict[str, object]:
    """Those of a statement about a request's repositories."""
    names = {} if request.names is None else {"names": listed(request.names)}
    return {
        "registry": request.registry_id,
        "after_crawl_id": request.after_crawl_id,
        "asked_at": request.asked_at,
        **names,
    }
