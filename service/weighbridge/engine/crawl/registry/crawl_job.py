"""The job CRAWL: repositories of one registry, a slice at a time.

A slice is what can be asked now: due repositories that are leased together and crawled
side by side. A job goes on taking further ones as it has room, for some seconds. What
is in its hands then is crawled to its end beside whatever comes next, so that nobody
waits for a slow registry.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.engine.context.crawl_context import (
    CrawlContext,
    CrawlOutcome,
    PushCallbacks,
)
from weighbridge.engine.context.parts import Parts, Site
from weighbridge.engine.crawl.registry.after_crawls import Following
from weighbridge.engine.crawl.repository.chunks import Helping
from weighbridge.engine.crawl.repository.repository_crawl import RepositoryCrawl
from weighbridge.engine.tasks.lease_renewal import Heartbeat
from weighbridge.engine.tasks.side_by_side import cancel_begun
from weighbridge.errors import StaleFence, StoreError, WeighbridgeError
from weighbridge.ports.job_names import CRAWL
from weighbridge.ports.protocols import JOB_COST, Registry
from weighbridge.store.crawls.crawl_requests import quiet_moments
from weighbridge.store.crawls.due import Opened, Slice, open_many, open_slice, put_off
from weighbridge.store.leases.claiming import (
    Claim,
    Opening,
    give_up,
    release,
)
from weighbridge.store.leases.validity import one_claim
from weighbridge.store.registries.registry_rows import find_registry_id
from weighbridge.store.registries.repository_rows import forget_if_never_seen
from weighbridge.store.session import Connection

TURN_S: Final = 5.0
"""So long a job takes further repositories; others have their turn then."""
STILL_S: Final = 0.25
"""A job whose slice makes no progress for so long ends: it comes again with room."""
REQUESTS: Final = 300
"""So many requests a slice is expected to need: what one process has is kept from
others."""
REPOSITORIES: Final = 128
"""So many are taken at once, and are being asked for or are being stored."""
NEW: Final = 3
"""Requests of a repository that was never crawled, as far as anybody knows."""
LARGE: Final = REQUESTS // 2
"""What a large repository counts as: small ones go on beside it."""
NOTE_S: Final = 2.0
"""So often what a registry was asked is noted: a page that is watched asks as often."""


class Suspects(Struct):
    """A process crawls one repository at a time whose last crawl did not come to its
    end: if that one ends the process too, it is known which it was."""

    is_any: bool = False


class RegistrySlice:
    """The repositories of one registry that this process crawls now."""

    def __init__(
        self,
        parts: Parts,
        site: Site,
        callbacks: PushCallbacks | None,
        suspects: Suspects,
    ) -> None:
        self._parts = parts
        self._site = site
        self._callbacks = callbacks
        self._suspects = suspects
        self._suspect: int | None = None
        self._room = REQUESTS
        self._tasks: dict[int, asyncio.Task[None]] = {}
        # What is leased and not begun yet looks as if another process had it.
        self._opening = asyncio.Lock()
        self._large: set[int] = set()
        self._changed = asyncio.Event()
        self._is_turning = False
        self._is_wanted = False
        self._is_closed = False
        self._context: CrawlContext | None = None
        self._costing = parts.costing(site)
        self._noted_at = float("-inf")
        self._helping = Helping(
            *(parts, site, self._costing),
            self._context_of,
            self._has_helped,
        )
        self.following = Following(parts, site, self._costing, self._stop)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being crawled, and all that follows is done."""
        is_done = not (self._tasks or self._helping.is_busy or self._is_turning)
        return is_done and not self.following.is_busy

    async def turn(self) -> None:
        """Take what is due, as far as there is room, for some seconds."""
        self._is_wanted = True
        if self._is_turning:
            return
        self._is_turning = True
        try:
            await self._turn()
        finally:
            self._is_turning = False
            self.following.begin(is_over=not self._tasks)

    async def crawl(self, repository_ids: Collection[int], *, only_due: bool) -> None:
        """Crawl these, and wait until that is done; what another process has is left
        to it."""
        parts, token = self._parts, one_claim(self._parts.owner)
        self.following.is_asked = True
        async with self._opening:
            wanted = [number for number in repository_ids if number not in self._tasks]
            if wanted:
                now, lease_s, resume_s = parts.clock(), parts.lease_s, parts.resume_s
                openings = [
                    Opening(number, now, lease_s, token, only_due, resume_s)
                    for number in wanted
                ]
                found = await parts.writer.write(open_many, openings)
                await self._begin([each for each in found if each is not None], ())
        tasks = [self._tasks[n] for n in repository_ids if n in self._tasks]
        if tasks:
            await asyncio.wait(tasks)

    async def aclose(self) -> None:
        """Give back what is being crawled; what it has stored stays."""
        self._is_closed = True
        await self.following.aclose()
        await self._stop()
        if self._context is not None:
            await self._costing.note(self._context.registry)

    async def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + TURN_S
        while not self._is_closed:
            if self._has_room:
                self._is_wanted = False
                await self._take_part()
                # Whoever has asked meanwhile may know of more.
                if not await self._take() and not self._is_wanted:
                    return
            elif (left_s := ends_at - loop.time()) <= 0:
                self._parts.jobs.put(CRAWL, self._site.name)
                return
            elif not await self._moves(min(STILL_S, left_s)):
                self._is_wanted = True
                return

    @property
    def _has_room(self) -> bool:
        has_places = len(self._tasks) <= REPOSITORIES
        return not self._tasks or (has_places and self._room >= REQUESTS // 2)

    async def _moves(self, within_s: float) -> bool:
        """Whether something came to its end within that time."""
        self._changed.clear()
        try:
            async with asyncio.timeout(within_s):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def _take(self) -> bool:
        """Whether something was due."""
        async with self._opening:
            return await self._open_due()

    async def _open_due(self) -> bool:
        parts = self._parts
        registry_id = await parts.writer.read(find_registry_id, self._site.name)
        if registry_id is None:
            return False
        wanted = Slice(
            registry_id,
            parts.clock(),
            parts.lease_s,
            one_claim(parts.owner),
            parts.resume_s,
            most_requests=max(NEW, self._room),
            most=REPOSITORIES,
        )
        takes_suspect = not self._suspects.is_any
        self._suspects.is_any = True
        try:
            opened, suspect, quiet = await parts.writer.write(
                _open, wanted, takes_suspect=takes_suspect
            )
        except BaseException:
            self._suspects.is_any = not takes_suspect
            raise
        if takes_suspect and not suspect:
            self._suspects.is_any = False
        self.following.is_asked = bool(quiet)
        opened = [*opened, *suspect]
        includes = self._site.scope.includes
        ours = [each for each in opened if includes(each.claim.repository)]
        if len(ours) < len(opened):
            names = {each.claim.repository_id for each in ours}
            await self._leave([o for o in opened if o.claim.repository_id not in names])
        await self._begin(ours, quiet, suspect)
        if not self._has_room:
            # There may be more: whoever is free joins.
            parts.jobs.put(CRAWL, self._site.name)
        return bool(opened)

    async def _take_part(self) -> None:
        """Help with a repository that is too large for the process that has it; not
        where one of ours is as large, so that there is room for small ones."""
        if self._large or self._room < LARGE:
            return
        if await self._helping.begin(lambda: self._tasks):
            self._room -= LARGE

    def _has_helped(self) -> None:
        self._room += LARGE
        self.following.note_part()
        self._changed.set()
        self._go_on()

    async def _leave(self, unwanted: Sequence[Opened]) -> None:
        """They would be due before all others for ever."""
        claims = [each.claim for each in unwanted]
        due_at = self._parts.clock() + timedelta(seconds=self._site.interval_s)

        def leave(connection: Connection) -> None:
            release(connection, claims)
            put_off(connection, [claim.repository_id for claim in claims], due_at)

        await self._parts.writer.write(leave)

    async def _begin(
        self,
        opened: Sequence[Opened],
        quiet: Collection[datetime],
        suspect: Sequence[Opened] = (),
    ) -> None:
        """Raises what the registry's client could not be opened for."""
        if not opened:
            return
        try:
            async with self._parts.clients.use(self._site.name) as connected:
                await self._note_cost(connected.registry)
        except BaseException:
            claims = [each.claim for each in opened]
            with suppress(StoreError):  # The one on its way says more.
                await asyncio.shield(self._parts.writer.write(release, claims))
            raise
        for each in opened:
            claim, cost = each.claim, _cost_of(each)
            self._room -= cost
            if cost >= LARGE:
                self._large.add(claim.repository_id)
            work = self._crawl(each, cost, is_quiet=claim.due_before in quiet)
            task = asyncio.create_task(work)
            self._tasks[claim.repository_id] = task
            if each in suspect:
                self._suspect = claim.repository_id

    async def _note_cost(self, registry: Registry) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._noted_at >= NOTE_S:
            self._noted_at = now
            await self._costing.note(registry)

    async def _crawl(self, opened: Opened, cost: int, *, is_quiet: bool) -> None:
        """Whatever it ends with stays its own."""
        JOB_COST.set(self._costing.cost)
        parts, claim = self._parts, opened.claim
        is_begun = False

        def asked() -> None:
            """Others may be asked while it is stored."""
            nonlocal cost
            self._room += cost
            cost = 0
            self._changed.set()
            self._go_on()

        try:
            async with parts.clients.use(self._site.name) as connected:
                context = self._context_of(connected.registry)
                if is_quiet:
                    context = _quiet(context)
                parts.progress.begin_repository(
                    claim.repository, connected.registry.cost
                )
                is_begun = True
                outcome = await crawl_claimed(context, parts.heartbeat, opened, asked)
            self._note(claim, outcome)
        except asyncio.CancelledError:
            if not is_begun:
                with suppress(StoreError):  # Its lease ends then.
                    await asyncio.shield(parts.writer.write(release, [claim]))
            raise
        except WeighbridgeError as exc:
            parts.watcher.failed(self._site.name, claim.repository, exc)
        except Exception as exc:  # noqa: BLE001 - the others of the slice go on
            error = WeighbridgeError(repr(exc), code="bug")
            parts.watcher.failed(self._site.name, claim.repository, error)
        finally:
            # Where our own lease had ended, another crawl of ours may have it by now.
            if self._tasks.get(claim.repository_id) is asyncio.current_task():
                del self._tasks[claim.repository_id]
                self._large.discard(claim.repository_id)
            self._room += cost
            self._changed.set()
            if self._suspect == claim.repository_id:
                self._suspect, self._suspects.is_any = None, False
                self._parts.jobs.put(CRAWL, self._site.name)
            self._go_on()

    def _go_on(self) -> None:
        if self._is_closed or self._is_turning:
            return
        if self._is_wanted and self._has_room:
            self._is_wanted = False
            self._parts.jobs.put(CRAWL, self._site.name)
        if not self._tasks:
            self.following.begin(is_over=True)

    def _context_of(self, registry: Registry) -> CrawlContext:
        if self._context is None or self._context.registry is not registry:
            self._context = self._parts.context(self._site, registry, self._callbacks)
        return self._context

    def _note(self, claim: Claim, outcome: CrawlOutcome) -> None:
        self._parts.progress.repositories_done += 1
        self._parts.watcher.crawled(self._site.name, claim.repository, outcome)
        self.following.note(claim.repository_id, outcome)

    async def _stop(self) -> None:
        """Nothing more is asked of the registry now."""
        await self._helping.stop()
        await cancel_begun(self._tasks.values())


def _open(
    connection: Connection, wanted: Slice, *, takes_suspect: bool
) -> tuple[list[Opened], list[Opened], Collection[datetime]]:
    """What is due; one whose last crawl did not come to its end; when somebody asked
    for a crawl that is under way."""
    quiet = quiet_moments(connection, wanted.registry_id)
    opened = open_slice(connection, wanted)
    if not takes_suspect:
        return opened, [], quiet
    one = wanted._replace(owner=f"{wanted.owner}s", most=1, is_suspect=True)
    return opened, open_slice(connection, one), quiet


def _quiet(context: CrawlContext) -> CrawlContext:
    """Of repositories that are due only because somebody asked: nobody is notified of
    what is found."""
    judging = context.judging
    return replace(context, judging=lambda: replace(judging(), is_silent=True))


def _cost_of(opened: Opened) -> int:
    """The requests that it is expected to need."""
    claim = opened.claim
    is_new = claim.last_crawl_at is None
    return min(LARGE, NEW if is_new else 1 + claim.tags)


class Slices:
    """Those of all registries that this process crawls.

    callbacks: where the crawls of a registry handle what is pushed meanwhile
    """

    def __init__(
        self, parts: Parts, callbacks: Callable[[str], PushCallbacks | None]
    ) -> None:
        self._parts = parts
        self._callbacks = callbacks
        self._slices: dict[str, RegistrySlice] = {}
        self._suspects = Suspects()

    def of(self, site: Site) -> RegistrySlice:
        """That of one registry."""
        if site.name not in self._slices:
            callbacks = self._callbacks(site.name)
            self._slices[site.name] = RegistrySlice(
                self._parts, site, callbacks, self._suspects
            )
        return self._slices[site.name]

    @property
    def is_idle(self) -> bool:
        return all(each.is_idle for each in self._slices.values())

    async def aclose(self) -> None:
        for each in self._slices.values():
            await each.aclose()


RETRY: Final = timedelta(minutes=1)
"""A crawl that failed for a reason of our own is begun again no sooner than that."""


async def crawl_claimed(
    context: CrawlContext,
    heartbeat: Heartbeat,
    begun: Opened,
    asked: Callable[[], None],
) -> CrawlOutcome:
    """One crawl of a repository that was opened for it. Raises StaleFence where it was
    taken over, and StoreError; it is given back then.

    asked: called once nothing more is asked of the registry, before all is stored
    """
    writer, claimed = context.writer, begun.claim
    with heartbeat.holding(claimed):
        try:
            with writer.expecting():
                outcome = await RepositoryCrawl(context, begun, heartbeat, asked).run()
        except StaleFence:
            raise
        except asyncio.CancelledError:
            with suppress(StoreError):
                await asyncio.shield(writer.write(release, [claimed]))
            raise
        except BaseException:
            with suppress(StoreError):  # The one that ended the crawl is on its way.
                retry_at = context.clock() + RETRY
                await asyncio.shield(writer.write(give_up, [claimed], retry_at))
            raise
    if outcome.result.state == "missing":
        await writer.write(forget_if_never_seen, claimed.repository_id)
    return outcome
