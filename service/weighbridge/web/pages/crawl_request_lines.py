"""What somebody asked to be crawled, as the page of crawls shows it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from weighbridge.store.crawls.crawl_requests import CrawlRequest, latest_requests
from weighbridge.store.session import Connection
from weighbridge.web.api.crawl_request_rows import left_of

MOST: Final = 10
LATELY: Final = timedelta(days=1)


class RequestLine(Struct, frozen=True):
    """words: what it is about, and how far it is"""

    request: CrawlRequest
    target: str
    words: str


def request_lines(connection: Connection, now: datetime) -> list[RequestLine]:
    """Those that are open or ended lately, the newest first; of many the last ones."""
    return [
        RequestLine(found, _target(found), _words(found, left_of(connection, found)))
        for found in latest_requests(connection, MOST)
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
