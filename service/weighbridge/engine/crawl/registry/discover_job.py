"""The job DISCOVER: finds out which repositories of a registry are to be crawled, and
has crawled what is due of them as soon as it is found."""

import secrets
from array import array
from bisect import bisect_left
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

from weighbridge.domain.report.inventory import RegistryState
from weighbridge.domain.traffic.pulls import PullCount
from weighbridge.engine.context.parts import ConnectedRegistry, Parts, Site
from weighbridge.engine.crawl.registry.after_crawls import (
    PAGE,
    UNREACHABLE,
    Catalog,
    MissingRepositories,
    answers,
)
from weighbridge.engine.crawl.registry.crawl_job import Slices
from weighbridge.engine.crawl_requests.crawl_report import state_of
from weighbridge.errors import (
    DocumentError,
    NotFound,
    RegistryError,
    TransportError,
    UsageError,
    WeighbridgeError,
)
from weighbridge.ports.job_names import CRAWL, DISCOVER, TICK
from weighbridge.ports.protocols import Registry, TellsPulls
from weighbridge.store.bases.marks import mark_bases
from weighbridge.store.crawls.crawl_requests import (
    CrawlRequest,
    end_request,
    make_repositories_due,
    note_listed_for,
    open_requests,
)
from weighbridge.store.leases.jobs import Job
from weighbridge.store.registries.registry_rows import (
    find_last_listing,
    find_state,
    note_discovery,
    note_registry,
    put_registry,
    silent_since,
)
from weighbridge.store.registries.repository_rows import (
    deleted_among,
    listed_among,
    note_listed,
    put_repositories,
    standing_page,
)
from weighbridge.store.session import Connection
from weighbridge.store.traffic.pull_counts import note_pulls, pulls_to_ask
from weighbridge.store.traffic.storage_days import note_storage, unnoted_storage

_FRESH: Final = 50_000


class NameSet:
    """A set of names that keeps eight bytes of each.

    They come from a hash with a key of this process, so that nobody can make two names
    that look alike; of a million, two do by chance once in 30 million sets.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)
        self._sorted = array("Q")
        self._fresh: set[int] = set()

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        mark = self._mark(name)
        if mark in self._fresh:
            return True
        place = bisect_left(self._sorted, mark)
        return place < len(self._sorted) and self._sorted[place] == mark

    def __bool__(self) -> bool:
        return bool(self._fresh or self._sorted)

    def update(self, names: Iterable[str]) -> None:
        """Add them."""
        self._fresh.update(map(self._mark, names))
        if len(self._fresh) > _FRESH:
            # Two sorted runs, one after the other: that is merged in one go.
            self._sorted.extend(sorted(self._fresh))
            self._sorted = array("Q", sorted(self._sorted))
            self._fresh.clear()

    def _mark(self, name: str) -> int:
        # A name may hold a lone surrogate, if a stranger made it.
        raw = name.encode("utf-8", "surrogatepass")
        return int.from_bytes(blake2b(raw, digest_size=8, key=self._key).digest())


UNLISTED: Final = 500
"""So many that a catalog no longer lists are asked for themselves before it is
believed; of more at once the next catalog has to say the same anyway."""
AT_ONCE: Final = 100
"""Of these, and of those that it lists again."""
_PULLS_AGAIN: Final = timedelta(hours=23)
"""So long the pulls of a repository that is on no page of the catalog are not asked for
again: that is a request for each."""
_DAYS_AT_ONCE: Final = 1_000


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
        self.state: RegistryState = "ok"
        self._reason = ""
        self._silent_since: datetime | None = None
        self._refused: WeighbridgeError | None = None
        self._catalog: Catalog | None = None
        self._always: dict[str, int] = {}
        self._asked = NameSet()
        self._told: set[str] = set()
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
                parts.progress.follow(connected.registry.cost)
                await self._list(registry_id, connected)
        except (UsageError, DocumentError, RegistryError, TransportError) as exc:
            self._note(exc)
            self._refused = exc  # It could not even be asked.
        if self.state != "ok":
            parts.telemetry.crawl_failures.labels(site.name, self.state).inc()
        parts.watcher.listed(site.name, self.state, self._reason, self._found)
        if self.state == "unreachable":
            self._slices.of(site).following.note_away()
        await self._note_storage(registry_id)
        await parts.writer.write(self._end, registry_id)
        if isinstance(self._refused, UsageError):
            raise self._refused  # Somebody has to mend what is configured.
        parts.jobs.put(CRAWL, site.name)

    async def _list(self, registry_id: int, connected: ConnectedRegistry) -> None:
        parts, site = self._parts, self._site
        await parts.writer.write(put_registry, site.entry(connected), parts.clock())
        if connected.found is not None and connected.found.is_new:
            parts.watcher.recognised(site.name, connected.found)
        unlisted: list[int] = []
        returned: list[int] = []
        try:
            async for page in self._pages(connected.registry, registry_id):
                self._found += len(page)
                await self._have_crawled(page.values())
                returned += await parts.writer.read(deleted_among, page.values())
                if self._catalog is not None:
                    unlisted += page.values()
            if self._catalog is not None:
                names = self._catalog.names
                named = [n for name, n in self._always.items() if name not in names]
                if named:
                    unlisted += await parts.writer.read(listed_among, named)
            if site.scope.only is not None:
                await self._ask_after(registry_id, connected)
            await self._ask_pulls(registry_id, connected.registry)
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
        missing = MissingRepositories(
            parts.writer,
            registry_id,
            catalog=self._catalog,
            scope=site.scope,
            judging=parts.judging(site),
            clock=parts.clock,
        )
        parts.watcher.held(site.name, await missing.delete())

    async def _pages(
        self, registry: Registry, registry_id: int
    ) -> AsyncIterator[dict[str, int]]:
        """Pages of repositories to crawl, stored as they are found. Those that the
        catalog no longer lists are crawled too: only their own answer says that they
        are gone. The catalog is known once it was read to its end without a doubt."""
        writer, scope = self._parts.writer, self._site.scope
        if scope.only is not None:
            yield await self._put(registry_id, scope.only)
            return
        self._always = await self._put(registry_id, scope.always)
        yield self._always
        listed = NameSet()
        invalid = 0
        try:
            async for listing in registry.repositories():
                listed.update(listing.names)
                invalid += listing.invalid
                names = [n for n in listing.names if scope.wants_repository(n)]
                fresh = await self._put(registry_id, names)
                await writer.write(note_listed, registry_id, names)
                pulls = {n: listing.pulls[n] for n in names if n in listing.pulls}
                await self._note_pulls(registry_id, pulls)
                yield fresh
        except (DocumentError, RegistryError, TransportError) as exc:
            if not isinstance(exc, TransportError):
                async for page in self._known_before(registry_id):
                    yield page
            raise
        now = self._parts.clock()
        if not invalid:  # a name that could not be read may be any repository's
            before = await writer.read(find_last_listing, registry_id)
            self._catalog = Catalog(listed, not listed, now, before)
        await writer.write(note_discovery, registry_id, complete=True, now=now)
        async for page in self._known_before(registry_id):
            yield page

    async def _note_pulls(
        self, registry_id: int, pulls: Mapping[str, PullCount]
    ) -> None:
        self._told.update(name for name in self._always if name in pulls)
        if pulls:
            now = self._parts.clock()
            await self._parts.writer.write(note_pulls, registry_id, pulls, now)

    async def _ask_pulls(self, registry_id: int, registry: Registry) -> None:
        """Of repositories that are crawled by their names, a hundred of them: those
        whose numbers are the oldest. Whatever comes of it, the crawl goes on."""
        if not isinstance(registry, TellsPulls):
            return
        only = self._site.scope.only
        names = set(self._always if only is None else only) - self._told
        before = self._parts.clock() - _PULLS_AGAIN
        asked = await self._parts.writer.read(
            pulls_to_ask, registry_id, sorted(names), before, AT_ONCE
        )
        pulls: dict[str, PullCount] = {}
        with suppress(RegistryError, TransportError):
            for name in asked:
                with suppress(DocumentError, NotFound):
                    count = await registry.pulls(name)
                    if count is not None:
                        pulls[name] = count
        await self._note_pulls(registry_id, pulls)

    async def _note_storage(self, registry_id: int) -> None:
        """What is stored, once a day."""
        writer = self._parts.writer
        days = await writer.read(unnoted_storage, registry_id, self._parts.clock())
        for start in range(0, len(days), _DAYS_AT_ONCE):
            await writer.write(note_storage, days[start : start + _DAYS_AT_ONCE])

    async def _put(self, registry_id: int, names: Sequence[str]) -> dict[str, int]:
        fresh = [name for name in dict.fromkeys(names) if name not in self._asked]
        self._asked.update(fresh)
        if not fresh:
            return {}
        site, now = self._site, self._parts.clock()

        def put(connection: Connection) -> dict[str, int]:
            found = put_repositories(connection, registry_id, fresh, now)
            # Before anybody crawls them.
            if any(base.name in found for base in site.bases):
                mark_bases(connection, site.name, site.bases)
            return found

        return await self._parts.writer.write(put)

    async def _known_before(self, registry_id: int) -> AsyncIterator[dict[str, int]]:
        """Every repository that the registry has or had last, and that is not asked
        for yet."""
        after, wants = 0, self._site.scope.wants_repository
        read = self._parts.writer.read
        while page := await read(standing_page, registry_id, after, PAGE):
            after = page[-1].repository_id
            fresh = {
                one.repository: one.repository_id
                for one in page
                if one.repository not in self._asked and wants(one.repository)
            }
            if fresh:
                yield fresh

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
