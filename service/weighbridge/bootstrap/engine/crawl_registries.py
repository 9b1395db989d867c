"""Crawls registries into the configured database, now."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from weighbridge.bootstrap.databases import ready_database
from weighbridge.bootstrap.engine.assembly import Work, an_engine
from weighbridge.bootstrap.registries.kept_clients import KeptClients
from weighbridge.bootstrap.registries.targets import Target, find_targets
from weighbridge.bootstrap.registries.unconfigured import PLAIN, AddressAccess
from weighbridge.config import Settings
from weighbridge.domain.policy.policy import NO_POLICIES
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.engine.crawl_requests.crawl_now import crawl_now
from weighbridge.engine.crawl_requests.crawl_report import CrawlReport, RequestRecorder
from weighbridge.engine.judge.criteria import Judges
from weighbridge.jobs.in_process.job_pool import JobPool
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

Clock = Callable[[], datetime]
NO_JUDGES = Judges(lambda: NO_POLICIES, is_silent=True)
"""Nothing is judged, and nobody is notified."""


def utc_now() -> datetime:
    """The clock of everything that is not a test or a demo."""
    return datetime.now(UTC)


def crawl(
    settings: Settings,
    targets: Sequence[str],
    *,
    measure: bool,
    progress: Progress,
    access: AddressAccess = PLAIN,
    docker_config: Path | None = None,
    clock: Clock = utc_now,
    judges: Judges = NO_JUDGES,
) -> CrawlReport:
    """One crawl of every target now, kept in the configured database."""
    chosen = find_targets(settings, targets, access)
    telemetry = Telemetry()
    with ready_database(settings) as database:
        return asyncio.run(
            crawl_targets(
                settings,
                chosen,
                database,
                telemetry,
                progress,
                measure=measure,
                docker_config=docker_config,
                clock=clock,
                judges=judges,
            )
        )


async def crawl_targets(
    settings: Settings,
    targets: Sequence[Target],
    database: Database,
    telemetry: Telemetry,
    progress: Progress,
    *,
    measure: bool = True,
    docker_config: Path | None = None,
    clock: Clock = utc_now,
    judges: Judges = NO_JUDGES,
) -> CrawlReport:
    """The same on a running loop, with the parts given. One registry after the
    other; a failure stays its registry's own."""
    began = time.monotonic()
    recorder, pool, done = RequestRecorder(), JobPool(), []
    work = Work(
        targets=targets,
        judges=judges,
        clients=KeptClients(settings, database, telemetry, docker_config=docker_config),
        has_others=False,
        schedules=False,
        progress=progress,
        watcher=recorder,
    )
    async with an_engine(settings, database, telemetry, pool, clock, work) as running:
        pool.start(running.engine.handlers)
        try:
            for target in targets:
                site = running.sites.sites[target.name]
                done.append(
                    await crawl_now(
                        running.parts, recorder, site, target.only, measure=measure
                    )
                )
        finally:
            await pool.aclose()
    return CrawlReport(tuple(done), time.monotonic() - began)
