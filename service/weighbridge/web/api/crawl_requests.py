"""Crawls that are asked for, and how far each is: over HTTP, and as the page of crawls
shows it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from weighbridge.domain.access.principal import Sight
from weighbridge.engine.context.parts import JobTarget
from weighbridge.engine.crawl_requests.requests import ask
from weighbridge.errors import UsageError
from weighbridge.ports.job_names import TICK
from weighbridge.ports.protocols import JobQueue
from weighbridge.presentation.rows.report_rows import keys_of, row_of
from weighbridge.store.access import Act, note_act
from weighbridge.store.crawls.crawl_requests import (
    CrawlRequest,
    RequestState,
    count_left,
    find_request,
    is_seen,
    latest_requests,
)
from weighbridge.store.session import Connection, Database
from weighbridge.web.request.answers import Refusal, json_answer
from weighbridge.web.request.bodies import json_object, read_body, text_of
from weighbridge.web.request.finding import Finder
from weighbridge.web.request.parameters import RequestId, numbered
from weighbridge.web.request.principal import principal_of
from weighbridge.web.request.threads import Threads

MOST_LEFT: Final = 5_000
"""More are not counted: an answer costs the same however large a registry is."""


@dataclass(frozen=True, slots=True)
class CrawlRequestRow:
    """A request to crawl. `repositories` null: all of the registry's.
    `known` is how many there are, `left` how many of them are still to be crawled: null
    where that is not known, or where more than 5,000 are. The counts are of its end:
    `complete`, `partial` and `failed` are repositories."""

    request: int
    registry: str
    repositories: list[str] | None
    measures: bool
    state: RequestState
    reason: str | None
    asked_at: datetime
    ended_at: datetime | None
    known: int | None
    left: int | None
    complete: int | None
    partial: int | None
    failed: int | None
    tags: int | None
    requests: int | None
    bytes_read: int | None


@dataclass(frozen=True, slots=True)
class CrawlInput:
    """What is to be crawled now: a configured registry, `hub`, or a repository of one,
    `hub/library/python`."""

    target: str


@dataclass(frozen=True, slots=True)
class CrawlAsked:
    """The number by which `/api/v1/crawl-requests/{request_id}` knows it."""

    request: int


_KEYS: Final = keys_of(CrawlRequestRow)
_COUNTS: Final = _KEYS[_KEYS.index("complete") :]


def crawl_request_json(request: CrawlRequest, left: int | None) -> dict[str, object]:
    """The row of one request."""
    names, counts = request.names, request.counts
    return row_of(
        _KEYS,
        request,
        request=request.id,
        repositories=None if names is None else list(names),
        left=left,
        **{key: counts and getattr(counts, key) for key in _COUNTS},
    )


def left_of(connection: Connection, request: CrawlRequest) -> int | None:
    """How many repositories are still to be crawled; None: not known, or very many."""
    if request.state in ("measuring", "done"):
        return 0
    if request.state != "crawling":
        return None
    left = count_left(connection, request, MOST_LEFT + 1)
    return None if left > MOST_LEFT else left


_STATUS: Final = {"registry_not_found": 404}
"""Of what cannot be asked for; anything else is a fault of the body."""


class CrawlRequests:
    """One method a route. Whoever looks for what is due does the work.

    clock: of those who crawl: what is due is compared with it. Raises StoreError
    find:  what a target means, see `WebOptions`
    jobs:  who is asked to look at once; None: it is seen at the next tick
    """

    def __init__(
        self,
        database: Database,
        finder: Finder,
        clock: Callable[[], datetime],
        threads: Threads,
        find: Callable[[str], JobTarget],
        jobs: JobQueue | None,
    ) -> None:
        self._database = database
        self._finder = finder
        self._clock = clock
        self._threads = threads
        self._find = find
        self._jobs = jobs

    async def ask_for_crawl(self, request: Request) -> Response:
        """Have a registry or a repository crawled now. 200 in place of 202: the same
        was asked for before and is under way; it is not begun again."""
        members = json_object(await read_body(request), {"target"}, set())
        asked = self._asked(text_of(members, "target"))
        found = await self._threads.run(
            partial(self._put, asked, principal_of(request).name)
        )
        if self._jobs is not None:
            self._jobs.put(TICK, "")
        return JSONResponse({"request": found.id}, 200 if found.is_joined else 202)

    def crawl_request(self, request: Request, request_id: RequestId) -> Response:
        """How far a crawl is that was asked for, by this API or by
        `weighbridge crawl`."""
        number = numbered(request_id, "request")
        with self._database.read() as connection:
            found = find_request(connection, number)
            sight = self._finder.seeing(principal_of(request)).sight(connection)
            if found is None or not is_seen(connection, found, sight):
                raise Refusal(
                    404, f"there is no request {number}", code="request_not_found"
                )
            left = left_of(connection, found)
        return json_answer(request, crawl_request_json(found, left))

    def _asked(self, target: str) -> JobTarget:
        try:
            return self._find(target)
        except UsageError as exc:
            detail = {"hint": exc.hint} if exc.hint else None
            status = _STATUS.get(exc.code, 422)
            raise Refusal(status, exc.message, code=exc.code, detail=detail) from exc

    def _put(self, asked: JobTarget, actor: str) -> CrawlRequest:
        now = self._clock()
        names = [asked.repository] if asked.repository else None
        with self._database.write() as connection:
            found = ask(connection, asked.site, names, measures=True, now=now)
            if not found.is_joined:
                detail = f"request {found.id}"
                note_act(connection, Act(now, actor, "crawl.ask", asked.name, detail))
        return found


MOST: Final = 10
LATELY: Final = timedelta(days=1)


class RequestLine(Struct, frozen=True):
    """words: what it is about, and how far it is"""

    request: CrawlRequest
    target: str
    words: str


def request_lines(
    connection: Connection, now: datetime, sight: Sight | None = None
) -> list[RequestLine]:
    """Those that are open or ended lately, the newest first; of many the last ones.
    sight: see `latest_requests`"""
    return [
        RequestLine(found, _target(found), _words(found, left_of(connection, found)))
        for found in latest_requests(connection, MOST, sight)
        if found.ended_at is None or found.ended_at > now - LATELY
    ]


def _target(request: CrawlRequest) -> str:
    names: Sequence[str] = request.names or ()
    if len(names) == 1:
        return f"{request.registry}/{names[0]}"
    return (
        f"{request.registry}, {len(names):,} repositories"
        if names
        else request.registry
    )


def _words(request: CrawlRequest, left: int | None) -> str:
    counts, known = request.counts, request.known
    if counts is not None:
        others = [
            f"{number:,} {word}"
            for number, word in ((counts.partial, "partly"), (counts.failed, "failed"))
            if number
        ]
        return ", ".join([f"{counts.complete:,} complete", *others])
    if known is None or left is None:
        return ""
    return f"{left:,} of {known:,} left"
