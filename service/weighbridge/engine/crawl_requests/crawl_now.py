"""Crawls what somebody asked for, now, and waits for its end.

The work is done by the jobs of this process, or by any other that is faster. What was
done here is reported as it happened; what others did, as it is stored.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from weighbridge.engine.context.parts import Parts
from weighbridge.engine.context.site import Site
from weighbridge.engine.crawl_requests.crawl_report import (
    RegistryCrawl,
    RequestRecorder,
    failed_crawl,
    report_of,
)
from weighbridge.engine.crawl_requests.requests import (
    RESUME_S,
    ask,
    handle_requests,
)
from weighbridge.engine.tasks.lease_renewal import BEAT_S, LEASE_S
from weighbridge.errors import RegistryError, StoreError, TransportError, UsageError
from weighbridge.store.crawls.crawl_requests import (
    CrawlRequest,
    crawled_since,
    find_request,
    renew_requests,
)
from weighbridge.store.crawls.due import free_left_behind
from weighbridge.store.leases.process_mark import one_claim
from weighbridge.store.registries.registry_rows import note_registry, put_registry
from weighbridge.store.session import Connection

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
    the registry does is in the result; only StoreError is raised.

    recorder: what watches these parts; it begins anew
    """
    recorder.begin()
    parts.progress.registry = site.name
    parts.progress.url = site.registered.url
    try:
        async with parts.clients.use(site.name) as connected:
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
    return await parts.writer.read(
        report_of, site, request, recorder.facts, warnings, parts.progress
    )


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
        parts.progress.repositories_known = len(request.names)
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
        parts.progress.repositories_known = recorder.facts.known


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
