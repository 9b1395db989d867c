"""What somebody asked to be crawled now, and what is to be done next about it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from weighbridge.engine.context.parts import Parts
from weighbridge.engine.context.site import Site
from weighbridge.engine.measure.many_layers import bring_up_to_date
from weighbridge.ports.job_names import CRAWL, DISCOVER, MEASURE
from weighbridge.store.crawls.crawl_requests import (
    CrawlRequest,
    RequestState,
    count_left,
    end_request,
    make_repositories_due,
    note_handled,
    note_listed_for,
    note_measuring,
    open_requests,
    put_request,
)
from weighbridge.store.leases.jobs import Job, is_done_since, make_due
from weighbridge.store.registries.registry_rows import find_state, put_registry
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.session import Connection

RESUME_S: Final = 3_600.0
"""A request that was cut off longer ago is not taken up: what was crawled then may have
changed."""


def ask(
    connection: Connection,
    site: Site,
    names: Sequence[str] | None,
    *,
    measures: bool,
    now: datetime,
    owner: str | None = None,
    lease_s: float = 0.0,
    resume_s: float = 0.0,
) -> CrawlRequest:
    """Store a request for a registry, or for these repositories of it, and have due
    what it needs. See `put_request`.

    owner: who waits for it; None: nobody, and the tick sees to it
    """
    registry_id = put_registry(connection, site.entry(None), now)
    request = put_request(
        connection,
        registry_id,
        names,
        measures=measures,
        now=now,
        owner=owner,
        lease_s=lease_s,
        resume_s=resume_s,
    )
    if request.is_joined:
        return request
    if names is None:
        make_due(connection, Job(DISCOVER, site.name), now)
    else:
        found = put_repositories(connection, registry_id, names, now)
        make_repositories_due(connection, request, found.values())
        note_listed_for(connection, [request.id], len(found), "")
    return request


async def handle_requests(parts: Parts) -> None:
    """Have done what requests wait for, and end those of which nothing is left. Any
    process may do it, and several at once; what this one is at is left to it."""
    for request in await parts.writer.read(open_requests):
        site = parts.sites(request.registry)
        if site is None or request.id in parts.handling:
            continue
        parts.handling.add(request.id)
        try:
            await _handle(parts, site, request)
        finally:
            parts.handling.discard(request.id)


async def _handle(parts: Parts, site: Site, request: CrawlRequest) -> None:
    if request.owner is None:
        await parts.writer.write(note_handled, request, parts.clock(), parts.lease_s)
    if request.state == "listing":
        parts.jobs.put(DISCOVER, site.name)
    elif request.state == "crawling":
        await _handle_crawls(parts, site, request)
    else:
        await _handle_measuring(parts, site, request)


async def _handle_crawls(parts: Parts, site: Site, request: CrawlRequest) -> None:
    writer, now = parts.writer, parts.clock()
    state = await writer.read(find_state, request.registry_id)
    if state == "unreachable" and request.names is None:
        await writer.write(end_request, request, "failed", state, now)
    elif await writer.read(count_left, request, 1):
        arguments = _arguments(site, request)
        for argument in arguments:
            parts.jobs.put(CRAWL, argument)
        if not arguments:
            await writer.write(end_request, request, "failed", "outside_filter", now)
    elif request.measures:
        await writer.write(_have_measured, request, now)
        parts.jobs.put(MEASURE, site.name)
    else:
        await bring_up_to_date(parts, site, request.registry_id)
        await _end(parts, request)


def _arguments(site: Site, request: CrawlRequest) -> list[str]:
    """Of repositories that somebody named each by itself: also a registry that could
    not be reached is asked for them."""
    if request.names is None:
        return [site.name]
    includes = site.scope.includes
    return [f"{site.name}/{name}" for name in request.names if includes(name)]


def _have_measured(
    connection: Connection, request: CrawlRequest, now: datetime
) -> None:
    if note_measuring(connection, request.id, now):
        make_due(connection, Job(MEASURE, request.registry), now)


async def _handle_measuring(parts: Parts, site: Site, request: CrawlRequest) -> None:
    since, job = request.crawled_at or request.asked_at, Job(MEASURE, site.name)
    if await parts.writer.read(is_done_since, job, since, parts.clock()):
        await _end(parts, request)
    else:
        parts.jobs.put(MEASURE, site.name)


async def _end(parts: Parts, request: CrawlRequest) -> None:
    state: RequestState = "failed" if request.reason else "done"
    await parts.writer.write(end_request, request, state, request.reason, parts.clock())
