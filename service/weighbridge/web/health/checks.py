"""Alive, and able to serve."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from weighbridge.errors import WeighbridgeError
from weighbridge.store.schema import check_schema, check_writable
from weighbridge.store.session import Database
from weighbridge.web.health.write_watch import WriteWatch
from weighbridge.web.options import WebOptions
from weighbridge.web.request.answers import json_answer
from weighbridge.web.request.errors import error_response
from weighbridge.web.request.threads import Threads
from weighbridge.web.views.banners import reload_banner

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
        if (since := self._options.failed_since()) is not None:
            yield _old(since)
        if (since := self._options.broker_away_since()) is not None:
            yield _away(since)


def _old(since: datetime) -> dict[str, str]:
    """Whoever asks may be anybody: no file is named here."""
    banner = reload_banner(since)
    return {"code": "reload_failed", "message": f"{banner.title} {banner.text}"}


def _away(since: datetime) -> dict[str, str]:
    text = (
        f"Redis has not answered since {since:%Y-%m-%d %H:%M} UTC: no crawl begins, and"
        " pushes wait. What is stored is served."
    )
    return {"code": "redis_unavailable", "message": text}
