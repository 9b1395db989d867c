"""What the handlers of one process work with."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from functools import partial

from msgspec import Struct, field

from weighbridge.domain.report.inventory import Source
from weighbridge.domain.retention import Retention
from weighbridge.engine.context.crawl_context import (
    RESUME_S,
    CrawlContext,
    Progress,
    crawl_context,
)
from weighbridge.engine.context.push_callbacks import PushCallbacks
from weighbridge.engine.context.registry_clients import (
    Clients,
    ConnectedRegistry,
    asking,
)
from weighbridge.engine.context.site import Site, Sites
from weighbridge.engine.context.watcher import Watcher
from weighbridge.engine.judge.criteria import Judges, Judging
from weighbridge.engine.tasks.job_leases import SharedJobs
from weighbridge.engine.tasks.lease_renewal import Heartbeat
from weighbridge.engine.writer.writer import Writer
from weighbridge.ports.job_names import CRAWL, MEASURE
from weighbridge.ports.protocols import JobQueue, Registry
from weighbridge.store.leases.jobs import Job
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry


class Parts(Struct, frozen=True):
    """Of one event loop.

    clients:  one for each registry and credential of the process
    jobs:     takes what follows from a job; returns at once
    deliver:  has everybody notified who is to be; returns at once
    owner:    this process, as `process_mark.this_process` names it
    lease_s:  so long after its process was killed a repository is free again
    resume_s: a crawl of a repository that was cut off is taken up for so long
    measures: whether what crawls bring is measured without being asked for
    watcher:  told of what is done, as it is done
    has_others: whether other processes take this one's jobs, too
    handling: requests that this process handles at this moment
    """

    database: Database
    writer: Writer
    telemetry: Telemetry
    sites: Sites
    clients: Clients
    heartbeat: Heartbeat
    shared: SharedJobs
    jobs: JobQueue
    judges: Judges
    deliver: Callable[[], None]
    clock: Callable[[], datetime]
    owner: str
    lease_s: float
    retention: Retention
    measures: bool = True
    resume_s: float = RESUME_S
    progress: Progress = field(default_factory=Progress)
    watcher: Watcher = field(default_factory=Watcher)
    has_others: bool = False
    handling: set[int] = field(default_factory=set)

    def judging(self, site: Site) -> Callable[[], Judging]:
        """What the images of a registry are judged by at each moment."""
        return partial(self.judges.of_platforms, site.scope.platforms)

    def context(
        self,
        site: Site,
        registry: Registry,
        *,
        callbacks: PushCallbacks | None = None,
        judging: Callable[[], Judging] | None = None,
    ) -> CrawlContext:
        """What all crawls of a registry's repositories share."""
        return crawl_context(
            registry,
            site.scope,
            self.writer,
            self.progress,
            self.clock,
            interval_s=site.interval_s,
            count_manifests=partial(self._count_manifests, site.name),
            judging=judging or self.judging(site),
            callbacks=callbacks,
            resume_s=self.resume_s,
            count_conflicts=partial(self.count_conflicts, site.name),
            shared=partial(self._tell_others, site.name),
            measuring=Job(MEASURE, site.name) if self.measures else None,
        )

    def _tell_others(self, name: str) -> None:
        """There are chunks; this process itself takes them without being told."""
        if self.has_others:
            self.jobs.put(CRAWL, name)

    def asking(self, site: Site) -> AbstractAsyncContextManager[ConnectedRegistry]:
        """The client of a registry, whose cost is noted. Raises UsageError,
        RegistryError, TransportError where it cannot be opened."""
        return asking(self.clients, self.writer, site.name, self.watcher.asked)

    def count_conflicts(self, name: str, source: Source, learned: int) -> None:
        """Count claims that the registry contradicts."""
        self.telemetry.size_conflicts.labels(name, source).inc(learned)

    def _count_manifests(self, name: str, looked_up: int, unchanged: int) -> None:
        self.telemetry.crawl_manifests.labels(name).inc(looked_up)
        self.telemetry.crawl_manifests_unchanged.labels(name).inc(unchanged)
