"""Crawls that are asked for over HTTP, and how far each is."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from weighbridge.engine.context.site import JobTarget
from weighbridge.engine.crawl_requests.requests import ask
from weighbridge.errors import UsageError
from weighbridge.ports.job_names import TICK
from weighbridge.ports.protocols import JobQueue
from weighbridge.store.access import Act, note_act
from weighbridge.store.crawls.crawl_requests import CrawlRequest, find_request
from weighbridge.store.session import Database
from weighbridge.web.access.middleware import ACTOR
from weighbridge.web.api.crawl_request_rows import crawl_request_json, left_of
from weighbridge.web.request.answers import json_answer
from weighbridge.web.request.bodies import json_object, read_body, text_of
from weighbridge.web.request.errors import Refusal
from weighbridge.web.request.parameters import RequestId, numbered
from weighbridge.web.request.threads import Threads

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
        clock: Callable[[], datetime],
        threads: Threads,
        find: Callable[[str], JobTarget],
        jobs: JobQueue | None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._threads = threads
        self._find = find
        self._jobs = jobs

    async def ask_for_crawl(self, request: Request) -> Response:
        """Have a registry or a repository crawled now. 200 in place of 202: the same
        was asked for before and is under way; it is not begun again."""
        members = json_object(await read_body(request), {"target"}, set())
        asked = self._asked(text_of(members, "target"))
        found = await self._threads.run(partial(self._put, asked, request.scope[ACTOR]))
        if self._jobs is not None:
            self._jobs.put(TICK, "")
        return JSONResponse({"request": found.id}, 200 if found.is_joined else 202)

    def crawl_request(self, request: Request, request_id: RequestId) -> Response:
        """How far a crawl is that was asked for, by this API or by
        `weighbridge crawl`."""
        number = numbered(request_id, "request")
        with self._database.read() as connection:
            found = find_request(connection, number)
            if found is None:
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
