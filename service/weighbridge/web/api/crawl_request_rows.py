"""Requests to crawl as JSON objects: the keys of the API."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from weighbridge.domain.size.weighing import rfc3339
from weighbridge.store.crawls.crawl_requests import (
    CrawlRequest,
    RequestState,
    count_left,
)
from weighbridge.store.session import Connection

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


def crawl_request_json(request: CrawlRequest, left: int | None) -> dict[str, object]:
    """The row of one request."""
    counts = request.counts
    return {
        "request": request.id,
        "registry": request.registry,
        "repositories": None if request.names is None else list(request.names),
        "measures": request.measures,
        "state": request.state,
        "reason": request.reason or None,
        "asked_at": rfc3339(request.asked_at),
        "ended_at": rfc3339(request.ended_at),
        "known": request.known,
        "left": left,
        "complete": None if counts is None else counts.complete,
        "partial": None if counts is None else counts.partial,
        "failed": None if counts is None else counts.failed,
        "tags": None if counts is None else counts.tags,
        "requests": None if counts is None else counts.requests,
        "bytes_read": None if counts is None else counts.bytes_read,
    }


def left_of(connection: Connection, request: CrawlRequest) -> int | None:
    """How many repositories are still to be crawled; None: not known, or very many."""
    if request.state in ("measuring", "done"):
        return 0
    if request.state != "crawling":
        return None
    left = count_left(connection, request, MOST_LEFT + 1)
    return None if left > MOST_LEFT else left
