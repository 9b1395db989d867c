"""Alive, and able to serve: whether the database takes writes is found out by writing
one small row.
"""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from weighbridge.errors import StoreError, WeighbridgeError
from weighbridge.store.connection.deadlines import within
from weighbridge.store.leases.jobs import Job, note_done
from weighbridge.store.schema import check_schema, check_writable
from weighbridge.store.session import Database
from weighbridge.web.options import WebOptions
from weighbridge.web.request.answers import error_response, json_answer
from weighbridge.web.request.threads import DATABASE_S, Threads
from weighbridge.web.views.frame import reload_banner

DOWN_AFTER_S: Final = 5.0
"""The database is down once no write was committed for so long."""
_PAUSE_S: Final = 2.0
_WRITE: Final = Job("write_check")


class WriteWatch:
    """Writes every few seconds, on the thread that `watch` runs on; asked by others.

    Before `watch` began, nothing is known, and the database counts as up.
    """

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._now = now
        self._clock = clock
        # The beginning of the first write since the last one that was committed.
        self._failing_since: float | None = None
        self._error: StoreError | None = None

    @property
    def is_up(self) -> bool:
        return self.why_down() is None

    def why_down(self) -> StoreError | None:
        """Why no write was committed for `DOWN_AFTER_S`; None: one was. It asks
        nobody: a database that hangs keeps no one from hearing of it."""
        since = self._failing_since
        if since is None or self._clock() - since < DOWN_AFTER_S:
            return None
        return self._error or StoreError(
            f"the database has committed no write for {self._clock() - since:.0f} s",
            code="database_busy",
            hint="another process holds a lock on it, or its server does not answer",
            retryable=True,
        )

    def watch(self, stop: threading.Event) -> None:
        """Write until `stop`."""
        while not stop.is_set():
            self.write_once()
            stop.wait(_PAUSE_S)

    def write_once(self) -> None:
        """One row, committed or not."""
        if self._failing_since is None:
            self._failing_since = self._clock()
        try:
            with within(DATABASE_S), self._database.write() as connection:
                note_done(connection, _WRITE, self._now())
        except StoreError as exc:
            self._error = exc
        else:
            self._failing_since = self._error = None


ANSWER_S: Final = 3.0
"""Who asks whether a service is ready waits no longer, as a rule."""


class Health:
    """`/healthz` and `/readyz`."""

    def __init__(
        self,
        database: Database,
        writes: WriteWatch,
        options: WebOptions,
        threads: Threads,
    ) -> None:
        self._database = database
        self._threads = threads
        self._writes = writes
        self._options = options

    async def healthz(self, _: Request) -> Response:
        """The process runs; nothing else is asked, and no thread is needed: those may
        all wait for the database."""
        return PlainTextResponse("ok\n")

    async def readyz(self, request: Request) -> Response:
        """200 where the database has the schema that this release knows and takes
        writes, else 503 with the reason. What can be read is served all the same.
        Policies that could not be read again, and a Redis that does not answer, are
        reasons beside either answer: neither is needed to serve."""
        known = list(self._known())
        try:
            if (down := self._writes.why_down()) is not None:
                raise down  # before anything is asked of a database that may hang
            await self._threads.run(self._check, ANSWER_S)
        except WeighbridgeError as exc:
            reasons = [{"code": exc.code, "message": exc.message}, *known]
        else:
            return json_answer(request, {"status": "ready", "reasons": known})
        return error_response(
            request, 503, "not_ready", reasons[0]["message"], {"reasons": reasons}
        )

    def _check(self) -> None:
        """Raises StoreError."""
        check_schema(self._database)
        check_writable(self._database)

    def _known(self) -> Iterator[dict[str, str]]:
        """Whoever asks may be anybody: no file is named here."""
        if (since := self._options.failed_since()) is not None:
            banner = reload_banner(since)
            message = f"{banner.title} {banner.text}"
            yield {"code": "reload_failed", "message": message}
        if (since := self._options.broker_away_since()) is not None:
            message = (
                f"Redis has not answered since {since:%Y-%m-%d %H:%M} UTC: no crawl "
                "begins, and pushes wait. What is stored is served."
            )
            yield {"code": "redis_unavailable", "message": message}
