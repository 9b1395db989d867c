"""What somebody asked to be crawled now: what is to be done next about it, and the wait
for its end.

The work is done by the jobs of this process, or by any other that is faster. What was
done here is reported as it happened; what others did, as it is stored.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from weighbridge.engine.context.parts import Parts, Site
from weighbridge.engine.crawl_requests.crawl_report import (
    RegistryCrawl,
    RequestRecorder,
    failed_crawl,
    report_of,
)
from weighbridge.engine.measure.many_layers import bring_up_to_date
from weighbridge.engine.tasks.lease_renewal import BEAT_S, LEASE_S
from weighbridge.errors import RegistryError, StoreError, TransportError, UsageError
from weighbridge.ports.job_names import CRAWL, DISCOVER, MEASURE
from weighbridge.store.bases.marks import mark_bases
from weighbridge.store.crawls.crawl_requests import (
    CrawlRequest,
    RequestState,
    count_left,
    crawled_since,
    end_request,
    find_request,
    make_repositories_due,
    note_handled,
    note_listed_for,
    note_measuring,
    open_requests,
    put_request,
    renew_requests,
)
from weighbridge.store.crawls.due import free_left_behind
from weighbridge.store.leases.jobs import Job, is_done_since, make_due
from weighbridge.store.leases.validity import one_claim
from weighbridge.store.registries.registry_rows import (
    find_state,
    note_registry,
    put_registry,
)
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
        mark_bases(connection, site.name, site.bases)
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


_POLL_S: Final = 0.25
_LONGEST_POLL_S: Final = 2.0
"""What others do is polled less and less often; what this process does is told."""
_FREE_S: Final = 5.0


async def crawl_now(
    parts: Parts,
    recorder: RequestRecorder,
    site: Site,
    names: Sequence[str] | None,
    *,
    measure: bool,
) -> RegistryCrawl:
    """Crawl a registry, or these repositories of it, and say what came of it. Whatever
    the registry does is in the result; only StoreError is raised. Several registries
    may be crawled at once: none waits for another.

    recorder: is told of this registry alone; it begins anew
    """
    recorder.begin()
    parts.progress.begin(site.name, site.registered.url)
    try:
        return await _crawl_now(parts, recorder, site, names, measure=measure)
    finally:
        parts.progress.end(site.name)


async def _crawl_now(
    parts: Parts,
    recorder: RequestRecorder,
    site: Site,
    names: Sequence[str] | None,
    *,
    measure: bool,
) -> RegistryCrawl:
    try:
        # What opening it asks is added to its row.
        await parts.writer.write(put_registry, site.entry(None), parts.clock())
        async with parts.asking(site) as connected:
            warnings = [problem.message for problem in connected.warnings]
    except (UsageError, RegistryError, TransportError) as exc:
        failed = failed_crawl(site.name, site.registered.url, exc)
        parts.telemetry.crawl_failures.labels(site.name, failed.state).inc()
        await parts.writer.write(_note_failure, parts, site, failed)
        return failed
    owner, began = one_claim(parts.owner), parts.clock()
    request = await parts.writer.write(
        ask,
        site,
        names,
        measures=measure,
        now=began,
        owner=owner,
        lease_s=LEASE_S,
        resume_s=RESUME_S,
    )
    renewing = asyncio.create_task(_renew(parts, owner))
    try:
        await _wait_for(parts, recorder, site, request)
    finally:
        renewing.cancel()
    await parts.writer.settle()
    return await parts.writer.read(report_of, site, request, recorder.facts, warnings)


async def _wait_for(
    parts: Parts, recorder: RequestRecorder, site: Site, request: CrawlRequest
) -> None:
    """Until the request has ended. Raises StoreError where the database refuses what
    this process is to store."""
    after, taken_over = 0, 0
    while page := await parts.writer.read(crawled_since, request, after, 1_000):
        after, taken_over = page[-1].repository_id, taken_over + len(page)
        recorder.facts.taken_over |= {one.repository_id for one in page}
    parts.progress.repositories_done += taken_over
    if request.names is not None:
        parts.progress.know(site.name, len(request.names))
    polled_at, wait_s = float("-inf"), _POLL_S
    while True:
        recorder.changed.clear()
        if (now := time.monotonic()) - polled_at >= _FREE_S:
            polled_at = now
            # Nobody else may look for what is due.
            await parts.writer.write(free_left_behind, parts.clock())
        await handle_requests(parts)
        found = await parts.writer.read(find_request, request.id)
        if recorder.facts.broken is not None:
            raise recorder.facts.broken
        if found is None or found.ended_at is not None:
            return
        try:
            async with asyncio.timeout(wait_s):
                await recorder.changed.wait()
            wait_s = _POLL_S
        except TimeoutError:
            wait_s = min(1.5 * wait_s, _LONGEST_POLL_S)
        parts.progress.know(site.name, recorder.facts.known)


async def _renew(parts: Parts, owner: str) -> None:
    while True:
        await asyncio.sleep(BEAT_S)
        with suppress(StoreError):
            await parts.writer.write(renew_requests, owner, parts.clock(), LEASE_S)


def _note_failure(
    connection: Connection, parts: Parts, site: Site, failed: RegistryCrawl
) -> None:
    now: datetime = parts.clock()
    registry_id = put_registry(connection, site.entry(None), now)
    note_registry(
        connection, registry_id, state=failed.state, reason=failed.reason, now=now
    )
