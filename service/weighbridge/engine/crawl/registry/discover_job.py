"""The job DISCOVER: finds out which repositories a registry has, and has crawled what
is due of them as soon as it is found."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from weighbridge.domain.report.inventory import RegistryState
from weighbridge.engine.context.parts import Parts
from weighbridge.engine.context.registry_clients import ConnectedRegistry
from weighbridge.engine.context.site import Site
from weighbridge.engine.crawl.registry.after_crawls import UNREACHABLE, answers
from weighbridge.engine.crawl.registry.catalog_pages import Discovery
from weighbridge.engine.crawl.registry.crawl_job import Slices
from weighbridge.engine.crawl.tombstones import delete_missing
from weighbridge.engine.crawl_requests.crawl_report import state_of
from weighbridge.errors import (
    DocumentError,
    RegistryError,
    TransportError,
    UsageError,
    WeighbridgeError,
)
from weighbridge.ports.job_names import CRAWL, DISCOVER, TICK
from weighbridge.store.crawls.crawl_requests import (
    end_request,
    make_repositories_due,
    note_listed_for,
    open_requests,
)
from weighbridge.store.crawls.requested_crawls import CrawlRequest
from weighbridge.store.leases.jobs import Job
from weighbridge.store.registries.registry_rows import (
    find_state,
    note_registry,
    put_registry,
    silent_since,
)
from weighbridge.store.registries.repository_rows import deleted_among, listed_among
from weighbridge.store.session import Connection

UNLISTED: Final = 500
"""So many that a catalog no longer lists are asked for themselves before it is
believed; of more at once the next catalog has to say the same anyway."""
AT_ONCE: Final = 100
"""Of these, and of those that it lists again."""


async def discover(parts: Parts, slices: Slices, site: Site) -> None:
    """Find out what a registry has, if that is due. Whatever the registry does is
    stored. Raises StoreError, and UsageError where its client cannot be opened."""
    every = timedelta(seconds=site.interval_s)
    async with parts.shared.doing(Job(DISCOVER, site.name), every) as claimed:
        if claimed is None:
            return
        parts.telemetry.crawl_runs.labels(site.name).inc()
        listing = _CatalogReading(parts, slices, site)
        await listing.run()
        if listing.state == "unreachable":
            await parts.shared.put_off(claimed, min(UNREACHABLE, every))
        elif listing.wait_s > every.total_seconds():
            await parts.shared.put_off(claimed, timedelta(seconds=listing.wait_s))
    parts.jobs.put(TICK, "")


class _CatalogReading:
    """One reading of a registry's catalog.

    wait_s: so long the registry wants to be left alone; 0: it has not said
    """

    def __init__(self, parts: Parts, slices: Slices, site: Site) -> None:
        self._parts = parts
        self._slices = slices
        self._site = site
        self._requests: list[CrawlRequest] = []
        self._found = 0
        self._held = 0
        self.state: RegistryState = "ok"
        self._reason = ""
        self._silent_since: datetime | None = None
        self._refused: WeighbridgeError | None = None
        self.wait_s = 0.0

    async def run(self) -> None:
        """Store what is listed, have it crawled, make tombstones of what is gone."""
        parts, site = self._parts, self._site
        registry_id = await parts.writer.write(
            put_registry, site.entry(None), parts.clock()
        )
        self._silent_since = await parts.writer.read(silent_since, registry_id)
        self._requests = [
            request
            for request in await parts.writer.read(open_requests, registry_id)
            if request.state == "listing"
        ]
        try:
            async with parts.asking(site) as connected:
                await self._list(registry_id, connected)
        except (UsageError, DocumentError, RegistryError, TransportError) as exc:
            self._note(exc)
            self._refused = exc  # It could not even be asked.
        if self.state != "ok":
            parts.telemetry.crawl_failures.labels(site.name, self.state).inc()
        parts.watcher.listed(site.name, self.state, self._reason, self._found)
        if self.state == "unreachable":
            self._slices.of(site).following.note_away()
        await parts.writer.write(self._end, registry_id)
        if isinstance(self._refused, UsageError):
            raise self._refused  # Somebody has to mend what is configured.
        parts.jobs.put(CRAWL, site.name)

    async def _list(self, registry_id: int, connected: ConnectedRegistry) -> None:
        parts, site = self._parts, self._site
        await parts.writer.write(
            put_registry, site.entry(connected.seen), parts.clock()
        )
        discovery = Discovery(connected.registry, site.scope, parts.writer, parts.clock)
        unlisted: list[int] = []
        returned: list[int] = []
        try:
            async for page in discovery.pages(registry_id):
                self._found += len(page)
                await self._have_crawled(page.values())
                returned += await parts.writer.read(deleted_among, page.values())
                if discovery.catalog is not None:
                    unlisted += page.values()
            if named := discovery.unlisted_names:
                unlisted += await parts.writer.read(listed_among, named)
            if site.scope.only is not None:
                await self._ask_after(registry_id, connected)
        except (DocumentError, RegistryError, TransportError) as exc:
            self._note(exc)
        if self.state == "unreachable":
            return
        if len(unlisted) <= UNLISTED:
            # Only their own answer says that they are gone, or back.
            returned += unlisted
        for start in range(0, len(returned), AT_ONCE):
            piece = returned[start : start + AT_ONCE]
            await self._slices.of(site).crawl(piece, only_due=False)
        self._held = await delete_missing(
            parts.writer,
            registry_id,
            discovery.catalog,
            site.scope,
            parts.judging(site),
            parts.clock,
        )
        parts.watcher.held(site.name, self._held)

    async def _have_crawled(self, repository_ids: Collection[int]) -> None:
        """At once: nobody waits for the catalog's end."""
        requests = [request for request in self._requests if repository_ids]

        def make_due(connection: Connection) -> None:
            for request in requests:
                make_repositories_due(connection, request, repository_ids)

        if requests:
            await self._parts.writer.write(make_due)
        if repository_ids:
            self._parts.jobs.put(CRAWL, self._site.name)

    async def _ask_after(self, registry_id: int, connected: ConnectedRegistry) -> None:
        """Where names are all that is crawled, nothing was asked: one that could not be
        reached is asked after. Raises TransportError."""
        was = await self._parts.writer.read(find_state, registry_id)
        if was == "unreachable" and not await answers(connected.registry):
            raise TransportError("the registry does not answer", code="unreachable")

    def _note(self, exc: WeighbridgeError) -> None:
        self.state, self._reason = state_of(exc)
        self.wait_s = exc.retry_after or 0.0
        self._parts.watcher.failed(self._site.name, None, exc)

    def _end(self, connection: Connection, registry_id: int) -> None:
        now = self._parts.clock()
        silent = silent_since(connection, registry_id)
        # It may have answered a listing and then, while it was being crawled, no more.
        if self.state != "ok" or silent in (None, self._silent_since):
            note_registry(
                connection, registry_id, state=self.state, reason=self._reason, now=now
            )
        if self.state == "unreachable" or self._refused is not None:
            for request in self._requests:
                end_request(connection, request, "failed", self._reason, now)
        else:
            ids = [request.id for request in self._requests]
            note_listed_for(connection, ids, self._found, self._reason)
