"""What the handlers of one process work with: registries as jobs know them, their
clients and what these cost, and who is told of what is done.

Whoever can write to Redis can send any message. So it carries names only, and what is
not known here is dropped: no message makes a worker ask a strange host.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import datetime
from functools import partial
from typing import Final, Protocol, TypeAlias

import structlog
from msgspec import Struct, field
from msgspec.structs import replace

from weighbridge.domain.base.base_repositories import BasePlace
from weighbridge.domain.image.document import Problem
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.image.reference import is_repository_name
from weighbridge.domain.limits import Retention
from weighbridge.domain.registry.found_kind import FoundKind
from weighbridge.domain.report.inventory import RegistryState, Source
from weighbridge.engine.context.crawl_context import (
    CrawlContext,
    CrawlOutcome,
    Progress,
    PushCallbacks,
    PushWatch,
    reader_of,
)
from weighbridge.engine.judge.judged_batch import Judges, Judging
from weighbridge.engine.tasks.lease_renewal import Heartbeat, SharedJobs
from weighbridge.engine.writer.writer import Writer
from weighbridge.errors import JobDropped, StaleFence, StoreError, WeighbridgeError
from weighbridge.net.guard.addresses import Reach
from weighbridge.ports.job_names import CRAWL, MEASURE
from weighbridge.ports.protocols import JOB_COST, JobQueue, Registry, RequestCost
from weighbridge.store.leases.jobs import Job
from weighbridge.store.registries.registry_rows import (
    RegistryEntry,
    find_registry_id,
    note_cost,
)
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry


def _everything(name: str) -> bool:
    return True


class Scope(Struct, frozen=True):
    """What of a registry is crawled.

    wants_repository, wants_tag: the include and exclude patterns
    always: names to crawl even where the catalog does not list them
    only:   exactly these repositories, without discovery; None for all
    """

    wants_repository: Callable[[str], bool] = _everything
    wants_tag: Callable[[str], bool] = _everything
    always: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None
    platforms: tuple[Platform, ...] = (DEFAULT,)

    def includes(self, name: str) -> bool:
        """Whether a crawl crawls a repository of this name, once it knows it."""
        if self.only is not None:
            return name in self.only
        return name in self.always or self.wants_repository(name)


class Site(Struct, frozen=True):
    """A registry that is configured, or whose address a person gave.

    registered: its row, as far as the configuration says it
    scope:      what of it is crawled
    bases:      repositories whose images are bases of others, crawled or not
    seeds_when_asked: whether who has it crawled by hand has also its bases read: they
                are written in the configuration
    """

    registered: RegistryEntry
    scope: Scope
    bases: tuple[BasePlace, ...] = ()
    seeds_when_asked: bool = False

    @property
    def name(self) -> str:
        return self.registered.name

    @property
    def interval_s(self) -> int:
        return self.registered.interval_s

    @property
    def seeded_bases(self) -> tuple[BasePlace, ...]:
        """Those that are read for their bases alone: of what is crawled these are known
        from that."""
        return tuple(b for b in self.bases if not self.scope.includes(b.name))

    def entry(self, connected: "ConnectedRegistry | None") -> RegistryEntry:
        """Its row, with what its open client has learned of it, if there is one."""
        entry = self.registered
        if connected is None:
            return entry
        if connected.seen is not None:
            entry = replace(entry, address_class=connected.seen.name.lower())
        if (found := connected.found) is not None:
            entry = replace(
                entry,
                kind=found.kind,
                storage_scope=found.storage_scope,
                knows_kind=True,
                kind_found=found.shown,
                kind_sign=found.sign,
            )
        return entry


Sites: TypeAlias = Callable[[str], Site | None]
"""The registry of a name; None: it is not known here."""


class JobTarget(Struct, frozen=True):
    """What a job is about. `repository`: "" for the whole registry."""

    site: Site
    repository: str = ""

    @property
    def name(self) -> str:
        """As the argument of a job."""
        if not self.repository:
            return self.site.name
        return f"{self.site.name}/{self.repository}"


def asked_registry(sites: Sites, argument: str) -> Site:
    """`name`. Raises JobDropped(unknown_registry)."""
    site = sites(argument)
    if site is None:
        raise JobDropped(
            "a message names a registry that is not configured here",
            code="unknown_registry",
        )
    return site


def asked_repository(sites: Sites, argument: str) -> JobTarget:
    """`name/repository`. Raises JobDropped(unknown_registry, outside_filter)."""
    name, _, repository = argument.partition("/")
    site = asked_registry(sites, name)
    if not is_repository_name(repository) or not site.scope.includes(repository):
        raise JobDropped(
            "a message names a repository that is not to be crawled",
            code="outside_filter",
        )
    return JobTarget(site, repository)


class Watcher:
    """Nobody, as it stands."""

    def recognised(self, registry: str, found: FoundKind) -> None:
        """A registry was asked what kind it is, and this was found."""

    def listed(
        self, registry: str, state: RegistryState, reason: str, repositories: int
    ) -> None:
        """A registry's repositories are known, so many of them."""

    def held(self, registry: str, removals: int) -> None:
        """So many repositories are not removed before another crawl agrees."""

    def crawled(self, registry: str, repository: str, outcome: CrawlOutcome) -> None:
        """A repository was crawled."""

    def failed(
        self, registry: str, repository: str | None, error: WeighbridgeError
    ) -> None:
        """A registry, or one repository, could not be crawled."""

    def measured(self, registry: str, left: int) -> None:
        """Layers were measured; so many could not be."""

    def asked(self, registry: str, requests: int, bytes_read: int) -> None:
        """A registry was asked so much more."""

    def requests_handled(self) -> None:
        """The requests were handled."""


class LogWatcher(Watcher):
    """Writes it into the log of a process that serves or works."""

    def __init__(self) -> None:
        self._log = structlog.get_logger("weighbridge.crawl")

    def recognised(self, registry: str, found: FoundKind) -> None:
        self._log.info(
            "kind of registry found",
            registry=registry,
            kind=found.kind,
            shown=found.shown,
            sign=found.sign,
            **({"advice": found.advice} if found.advice else {}),
        )

    def listed(
        self, registry: str, state: RegistryState, reason: str, repositories: int
    ) -> None:
        if state == "ok":  # Else `failed` has told more.
            self._log.info(
                "registry listed", registry=registry, repositories=repositories
            )

    def held(self, registry: str, removals: int) -> None:
        if removals:
            self._log.warning("removals held", registry=registry, removals=removals)

    def failed(
        self, registry: str, repository: str | None, error: WeighbridgeError
    ) -> None:
        if isinstance(error, StaleFence):
            return  # Whoever has taken it over goes on with it.
        if repository is None:
            self._log.warning(
                "the registry could not be read to its end; what was known is kept",
                registry=registry,
                code=error.code,
                why=error.message,
            )
        else:
            self._log.error(
                "a repository could not be crawled",
                registry=registry,
                repository=repository,
                code=error.code,
                why=error.message,
            )


class ConnectedRegistry(Protocol):
    """An open client.

    seen:     the class of its own address; None if its name could not be resolved
    warnings: what is to be said about its credentials and its kind
    found:    what it was found to be; None where that is written or not known
    """

    @property
    def registry(self) -> Registry: ...

    @property
    def seen(self) -> Reach | None: ...

    @property
    def warnings(self) -> Sequence[Problem]: ...

    @property
    def found(self) -> FoundKind | None: ...


class Clients(Protocol):
    """Clients of registries by their names: one for each registry and credential of a
    process, so that its limits hold for all that asks it."""

    def use(self, registry: str) -> AbstractAsyncContextManager[ConnectedRegistry]: ...


class Costing:
    """What a piece of work asks of a registry, to be added to the registry's row.

    asked: told of the same: registry, requests, bytes
    cost:  counts what is asked, where it is `ports.JOB_COST`
    """

    def __init__(
        self,
        writer: Writer,
        registry: str,
        asked: Callable[[str, int, int], None],
    ) -> None:
        self._writer = writer
        self._registry = registry
        self.cost = RequestCost()
        self._asked = asked
        self._noted = RequestCost()
        self._reported = RequestCost()
        self._noting = asyncio.Lock()

    async def note(self, client: Registry) -> None:
        """Add what is new since the last time. Nobody fails for want of a number: it
        is added the next time then."""
        cost = replace(self.cost)
        self._asked(
            self._registry,
            cost.requests - self._reported.requests,
            cost.bytes_read - self._reported.bytes_read,
        )
        self._reported = cost
        async with self._noting:
            with suppress(StoreError):
                await self._keep(client)

    async def _keep(self, client: Registry) -> None:
        cost = replace(self.cost)
        if cost.requests == self._noted.requests:
            return
        registry_id = await self._writer.read(find_registry_id, self._registry)
        if registry_id is None:
            return
        await self._writer.write(
            note_cost,
            registry_id,
            requests=cost.requests - self._noted.requests,
            bytes_read=cost.bytes_read - self._noted.bytes_read,
            rate_limit=client.rate_limit,
        )
        self._noted = cost


RESUME_S: Final = 6 * 3_600.0
"""A crawl that was cut off longer ago is begun anew: what it saw may have moved."""


class Parts(Struct, frozen=True):
    """Of one event loop.

    clients:  one for each registry and credential of the process
    jobs:     takes what follows from a job; returns at once
    deliver:  has everybody notified who is to be; returns at once
    owner:    this process, as `validity.this_process` names it
    lease_s:  so long after its process was killed a repository is free again
    resume_s: a crawl of a repository that was cut off is taken up for so long
    measures: whether what crawls bring is measured without being asked for
    watcher:  told of what is done, as it is done
    has_others: whether other processes take this one's jobs, too
    handling: requests that this process handles at this moment
    in_part:  the registries of which tags are left out
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
    in_part: frozenset[str] = frozenset()

    def judging(self, site: Site) -> Callable[[], Judging]:
        """What the images of a registry are judged by at each moment."""
        return partial(self.judges.of, site.scope.platforms)

    def context(
        self, site: Site, registry: Registry, callbacks: PushCallbacks | None = None
    ) -> CrawlContext:
        """What all crawls of a registry's repositories share."""
        return CrawlContext(
            registry=registry,
            reader=reader_of(registry, self.writer),
            writer=self.writer,
            watch=PushWatch(self.writer, self.clock),
            progress=self.progress,
            clock=self.clock,
            wants_tag=site.scope.wants_tag,
            interval_s=site.interval_s,
            judging=self.judging(site),
            count_manifests=partial(self._count_manifests, site.name),
            count_conflicts=partial(self._count_conflicts, site.name),
            shared=partial(self._tell_others, site.name),
            measuring=Job(MEASURE, site.name) if self.measures else None,
            callbacks=callbacks,
        )

    def _tell_others(self, name: str) -> None:
        """There are chunks; this process itself takes them without being told."""
        if self.has_others:
            self.jobs.put(CRAWL, name)

    def costing(self, site: Site) -> Costing:
        """For a piece of work that asks a registry."""
        return Costing(self.writer, site.name, self.watcher.asked)

    @asynccontextmanager
    async def asking(self, site: Site) -> AsyncIterator[ConnectedRegistry]:
        """The client of a registry; what the block has asked is added to the registry's
        row at its end, whatever that is. Raises UsageError, RegistryError,
        TransportError where it cannot be opened."""
        costing = self.costing(site)
        # Whoever opens it may have to ask what kind it is.
        mark = JOB_COST.set(costing.cost)
        try:
            async with self.clients.use(site.name) as connected:
                try:
                    yield connected
                finally:
                    await asyncio.shield(costing.note(connected.registry))
        finally:
            JOB_COST.reset(mark)

    def _count_conflicts(self, name: str, source: Source, learned: int) -> None:
        """Count claims that the registry contradicts."""
        self.telemetry.size_conflicts.labels(name, source).inc(learned)

    def _count_manifests(self, name: str, looked_up: int, unchanged: int) -> None:
        self.telemetry.crawl_manifests.labels(name).inc(looked_up)
        self.telemetry.crawl_manifests_unchanged.labels(name).inc(unchanged)
