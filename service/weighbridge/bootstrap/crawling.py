"""Crawls registries into the configured database."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from weighbridge.audit.crawl import Crawl
from weighbridge.audit.crawl_report import CrawlReport, RegistryCrawl, failed_crawl
from weighbridge.audit.progress import Progress
from weighbridge.audit.push_desk import PushDesk
from weighbridge.audit.scope import Scope
from weighbridge.audit.writer import Writer
from weighbridge.bootstrap.access import PLAIN, Access
from weighbridge.bootstrap.clients import registry_client
from weighbridge.bootstrap.databases import ready_database
from weighbridge.bootstrap.gates import Gates
from weighbridge.bootstrap.judges import Judges
from weighbridge.bootstrap.targets import Target, find_targets, kind_of
from weighbridge.config import Settings
from weighbridge.domain.globs import matches
from weighbridge.domain.reference import is_repository_name
from weighbridge.errors import RegistryError, TransportError, UsageError
from weighbridge.net.guard import Reach
from weighbridge.store.ledger.settler import Settler
from weighbridge.store.registries import RegistryEntry, note_registry, put_registry
from weighbridge.store.session import Connection, Database
from weighbridge.telemetry import Telemetry

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock of everything that is not a test or a demo."""
    return datetime.now(UTC)


def crawl(
    settings: Settings,
    targets: Sequence[str],
    *,
    measure: bool,
    progress: Progress,
    access: Access = PLAIN,
    docker_config: Path | None = None,
    clock: Clock = utc_now,
    judges: Judges | None = None,
) -> CrawlReport:
    """One pass over every target now, kept in the configured database."""
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
    leaves_waiting: bool = False,
    desk: PushDesk | None = None,
    judges: Judges | None = None,
    gates: Gates | None = None,
) -> CrawlReport:
    """The same on a running loop, with the parts given. One registry after the
    other; a failure stays its registry's own.

    leaves_waiting: nobody has asked for this crawl, so that repositories whose quota
                    is spent are left alone until it is back
    judges:         what images are judged by; None: by nothing
    gates:          what is shared with others that ask the same registry meanwhile
    desk:           where pushes to the one registry are looked after meanwhile
    """
    began = time.monotonic()
    writer = Writer(database, on_failure=lambda _: telemetry.db_write_errors.inc())
    settler = Settler(database)
    settler.start()
    done = []
    try:
        for target in targets:
            try:
                async with registry_client(
                    settings,
                    target,
                    telemetry,
                    database=database,
                    docker_config=docker_config,
                    gates=gates,
                ) as connected:
                    scope = scope_of(target)
                    crawl = Crawl(
                        connected.registry,
                        registry_entry(settings, target, connected.seen),
                        scope,
                        writer,
                        progress,
                        clock,
                        telemetry=telemetry,
                        warnings=connected.warnings,
                        leaves_waiting=leaves_waiting,
                        desk=desk,
                        judging=None
                        if judges is None
                        else partial(judges.of_platforms, scope.platforms),
                    )
                    done.append(await crawl.run(measure=measure))
            except (UsageError, RegistryError, TransportError) as exc:
                failed = failed_crawl(target.name, target.url, exc)
                telemetry.crawl_failures.labels(target.name, failed.state).inc()
                if target.settings is not None:
                    entry = registry_entry(settings, target, None)
                    await writer.write(_note_failure, entry, failed, clock())
                done.append(failed)
    finally:
        settler.close()
        writer.close()
    return CrawlReport(tuple(done), time.monotonic() - began)


def _note_failure(
    connection: Connection, entry: RegistryEntry, failed: RegistryCrawl, now: datetime
) -> None:
    registry_id = put_registry(connection, entry, now)
    note_registry(
        connection, registry_id, state=failed.state, reason=failed.reason, now=now
    )


def registry_entry(
    settings: Settings, target: Target, seen: Reach | None
) -> RegistryEntry:
    """The registry as the store keeps it."""
    configured = target.settings
    interval = settings.defaults.interval
    return RegistryEntry(
        name=target.name,
        kind=kind_of(target),
        url=target.url,
        # distribution keeps a blob once for all repositories (its storage driver
        # addresses blobs by digest under one root). Docker Hub says nothing of it; that
        # a layer is mounted from one repository to another there speaks for the same.
        storage_scope="registry",
        address_class=None if seen is None else seen.name.lower(),
        interval_s=settings.interval_of(configured) if configured else interval,
        configured=settings.names,
    )


def scope_of(target: Target) -> Scope:
    """What of a registry is looked at."""
    configured = target.settings
    if configured is None:
        return Scope(only=target.only)
    repositories = configured.wanted_repositories
    tags = configured.tags.patterns
    names = tuple(n for n in repositories.include if is_repository_name(n))
    wanted = tuple(n for n in names if matches(repositories, n))
    # Where every pattern is a whole name there is nothing to discover; the catalog
    # of a large registry is slow, and not everybody may read it.
    is_listed = len(names) == len(repositories.include)
    return Scope(
        wants_repository=lambda name: matches(repositories, name),
        wants_tag=lambda name: matches(tags, name),
        always=wanted,
        only=wanted if is_listed and target.only is None else target.only,
        platforms=configured.platforms,
    )
