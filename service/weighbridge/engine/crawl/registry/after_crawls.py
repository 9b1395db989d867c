"""What follows when repositories of a registry were crawled; tombstones are made of
those of which a crawl is sure that the registry has them no more.
"""

import asyncio
from collections.abc import Awaitable, Callable, Container
from datetime import datetime, timedelta
from typing import Final

import structlog
from msgspec import Struct, field

from weighbridge.domain.registry.listing import is_mass
from weighbridge.engine.context.crawl_context import CrawlOutcome
from weighbridge.engine.context.parts import Costing, Parts, Scope, Site
from weighbridge.engine.judge.judge import refresh_and_judge
from weighbridge.engine.judge.judged_batch import Judging
from weighbridge.engine.tasks.side_by_side import cancel
from weighbridge.engine.writer.writer import Writer
from weighbridge.errors import (
    DocumentError,
    RegistryError,
    StaleFence,
    TransportError,
    WeighbridgeError,
)
from weighbridge.ports.job_names import CRAWL, DISCOVER, MEASURE, SETTLE, TICK
from weighbridge.ports.protocols import Registry
from weighbridge.store.crawls.due import have_due
from weighbridge.store.leases.claiming import claim, release
from weighbridge.store.leases.jobs import Job, make_due
from weighbridge.store.leases.validity import one_claim, this_process
from weighbridge.store.registries.registry_rows import (
    find_registry_id,
    forget_held,
    held_removals,
    hold_removals,
    note_registry,
)
from weighbridge.store.registries.repository_rows import (
    LiveRepository,
    delete_repository,
    delete_tags,
    is_missing,
    mark_listed,
    missing_for_good,
    standing_page,
)
from weighbridge.store.session import Connection

PAGE: Final = 1_000
"""Repositories that are read of the database at once."""


class Catalog(Struct, frozen=True):
    """A catalog that was read to its end without a doubt.

    names:    every name
    is_empty: there is none: a registry that is asked too much says that, too
    read_at:  when its end was reached
    before:   when the end of the one before it was; None: it is the first
    """

    names: Container[str]
    is_empty: bool
    read_at: datetime
    before: datetime | None


_LEASE_S: Final = 60.0


class _RepositoryCount(Struct):
    """The repositories that this crawl is of; some of them by their ids.

    crawled:   how many there are
    held:      that the catalog before did not list
    silent:    that this one does not list, or, without one, that one before did not,
               and that have not answered for themselves since
    answering: that it does not list, and that have: of them it tells nothing
    """

    crawled: int = 0
    held: set[int] = field(default_factory=set)
    silent: set[int] = field(default_factory=set)
    answering: set[int] = field(default_factory=set)


class MissingRepositories(Struct):
    """Those of one registry that may be gone.

    catalog: as it was read to its end, or None
    scope:   what this crawl is of; about others it knows nothing new
    """

    writer: Writer
    registry_id: int
    catalog: Catalog | None
    scope: Scope
    judging: Callable[[], Judging]
    clock: Callable[[], datetime]

    async def delete(self) -> int:
        """Delete what is missing for good; returns how many wait for a second crawl,
        since more than half of what is crawled would be deleted at once.

        What a catalog no longer lists counts before it was asked for itself: workers
        ask one repository after the other, long after the catalog, and the catalog that
        finds the first half of them missing would not find more than half.
        """
        writer, number, catalog = self.writer, self.registry_id, self.catalog
        names = None if catalog is None or catalog.is_empty else catalog.names
        missing = await writer.read(missing_for_good, number, names, self.clock())
        ids = {n for n, name in missing.items() if self.scope.includes(name)}
        held = await writer.read(held_removals, number)
        counted = await self._counted(held)
        if counted.answering:
            await writer.write(mark_listed, counted.answering, is_listed=False)
        unlisted, others = ids | counted.silent, held - counted.held
        if is_mass(len(unlisted - held), counted.crawled - len(counted.held)):
            count = len(unlisted)
            await writer.write(hold_removals, number, unlisted | others, count)
            return count
        for repository_id in sorted(ids):
            await self._delete(repository_id)
            await writer.write(forget_held, number, repository_id)
        if catalog is None:
            return 0
        left, waiting = counted.silent - ids, 0
        # A catalog of nothing agrees with nothing.
        if names is None and is_mass(len(left), counted.crawled):
            waiting = len(left)
        await writer.write(hold_removals, number, left | others, waiting)
        return waiting

    async def _counted(self, held: frozenset[int]) -> _RepositoryCount:
        catalog, counted, after = self.catalog, _RepositoryCount(), 0
        while page := await self.writer.read(
            standing_page, self.registry_id, after, PAGE
        ):
            after = page[-1].repository_id
            for one in page:
                if not self.scope.includes(one.repository):
                    continue
                counted.crawled += 1
                is_held = one.repository_id in held
                if is_held:
                    counted.held.add(one.repository_id)
                if catalog is None:
                    continue
                if one.was_listed and one.repository not in catalog.names:
                    has_answered = _has_answered(one, catalog, is_held=is_held)
                    unlisted = counted.answering if has_answered else counted.silent
                    unlisted.add(one.repository_id)
        if catalog is None:
            counted.silent = set(counted.held)
        return counted

    async def _delete(self, repository_id: int) -> None:
        writer, clock = self.writer, self.clock
        claimed = await writer.write(
            claim,
            repository_id,
            now=clock(),
            lease_s=_LEASE_S,
            owner=one_claim(this_process()),
        )
        if claimed is None:
            return  # Another process crawls it now, and knows better.
        try:
            if not await writer.write(is_missing, claimed, clock()):
                await writer.write(release, [claimed])
                return  # Another process has found it before we claimed it.
            deleted: str | None = ""
            while deleted is not None:
                deleted = await writer.write(delete_tags, claimed, clock(), deleted)
            await writer.write(
                refresh_and_judge, [repository_id], clock(), self.judging()
            )
            await writer.write(delete_repository, claimed, clock())
        except StaleFence:
            return


def _has_answered(one: LiveRepository, catalog: Catalog, *, is_held: bool) -> bool:
    """Whether it was there after a catalog no longer listed it."""
    at = one.last_crawl_at
    if at is None or one.state not in ("ok", "partial"):
        return False
    is_after_both = is_held and catalog.before is not None and at >= catalog.before
    return at >= catalog.read_at or is_after_both


async def answers(registry: Registry) -> bool:
    """Whether one question brings an answer: a refusal is one too."""
    try:
        await anext(registry.repositories(), None)
    except TransportError:
        return False
    except (DocumentError, RegistryError):
        return True
    return True


UNREACHABLE: Final = timedelta(minutes=1)
"""A registry that could not be reached is asked after so soon, at most."""


class Following:
    """Of one registry, in one process.

    stop: ends all crawls of its repositories: the registry is gone
    is_asked: whether somebody waits for a crawl of it that was asked for
    """

    def __init__(
        self,
        parts: Parts,
        site: Site,
        costing: Costing,
        stop: Callable[[], Awaitable[None]],
    ) -> None:
        self._parts = parts
        self._site = site
        self._costing = costing
        self._stop = stop
        self._has_changed = False
        self._has_missing = False
        self._is_doubtful = False
        self._unheard: dict[int, float] = {}
        self._away_at = float("-inf")
        self._is_any = False
        self._task: asyncio.Task[None] | None = None
        self._is_over = False
        self._is_closed = False
        self.is_asked = False

    @property
    def is_busy(self) -> bool:
        """Whether something is being done, or is to be."""
        return self._task is not None

    def note(self, repository_id: int, outcome: CrawlOutcome) -> None:
        """A repository was crawled."""
        result = outcome.result
        self._is_any = True
        if result.tags_new or result.tags_moved or result.tags_deleted:
            self._has_changed = True
            self._parts.deliver()
        self._has_missing |= result.state == "missing"
        if outcome.is_silent or outcome.in_doubt or result.state == "unreachable":
            self._is_doubtful = True
            self._unheard[repository_id] = _now_s()
            self.begin(is_over=False)

    def note_away(self) -> None:
        """The registry does not answer now: what was not heard of is crawled again."""
        self._away_at = _now_s()
        if self._unheard:
            self._is_doubtful = True
            self.begin(is_over=False)

    def note_part(self) -> None:
        """A part was crawled of a repository that another process has."""
        self._is_any = True

    def begin(self, *, is_over: bool) -> None:
        """Do what is to be done, beside whatever goes on.

        is_over: nothing of the registry is being crawled here any more
        """
        self._is_over = is_over
        if self._is_closed:
            return
        if self._task is None and self._is_wanted:
            self._task = asyncio.create_task(self._follow())

    async def aclose(self) -> None:
        """What is not done yet is left to the next who crawls."""
        self._is_closed = True
        if self._task is not None:
            await cancel([self._task])

    @property
    def _is_wanted(self) -> bool:
        # What is missing waits for the end of all crawls, whoever tells of that end.
        is_missing = self._has_missing and self._is_over
        return self._is_any or self._is_doubtful or is_missing

    async def _follow(self) -> None:
        try:
            while self._is_wanted:
                await self._once()
        except WeighbridgeError as exc:
            structlog.get_logger("weighbridge.crawl").error(
                "what follows a crawl is left to the next",
                registry=self._site.name,
                code=exc.code,
                why=exc.message,
            )
        finally:
            self._task = None
            if self.is_asked:
                self._parts.jobs.put(TICK, "")

    async def _once(self) -> None:
        if self._is_doubtful:
            self._is_doubtful = False
            await self._ask_for_registry()
        self._is_any = False
        parts, name = self._parts, self._site.name
        async with parts.clients.use(name) as connected:
            await self._costing.note(connected.registry)
        if self._has_changed and parts.measures:
            self._has_changed = False
            await parts.writer.write(make_due, Job(MEASURE, name), parts.clock())
            parts.jobs.put(MEASURE, name)
        if not parts.writer.settles_at_once:
            parts.jobs.put(SETTLE, "")
        if self._has_missing and self._is_over:
            self._has_missing = False
            await self._delete()

    async def _ask_for_registry(self) -> None:
        """One more question decides whether the registry is gone, and with it all that
        is due there, or only a repository."""
        parts, name = self._parts, self._site.name
        async with parts.clients.use(name) as connected:
            if await answers(connected.registry):
                await self._try_again()
                return
        self._away_at = _now_s()
        await parts.writer.write(self._note_unreachable)
        parts.watcher.failed(
            name,
            None,
            TransportError("the registry does not answer", code="unreachable"),
        )
        await self._stop()
        self._is_doubtful = False  # What was cut off so says nothing more.
        await self._have_unheard_due()  # They are crawled again as soon as it is back.

    async def _try_again(self) -> None:
        """Where it was away just now, what was not heard of is crawled again."""
        self._is_doubtful = False  # That was of the same moment.
        since = _now_s() - UNREACHABLE.total_seconds()
        if self._away_at < since:
            # A listing on its way may yet find that it was away in these moments.
            self._unheard = {n: at for n, at in self._unheard.items() if at >= since}
        elif self._unheard:
            await self._have_unheard_due()
            self._parts.jobs.put(CRAWL, self._site.name)

    async def _have_unheard_due(self) -> None:
        wanted, self._unheard = self._unheard, {}
        await self._parts.writer.write(have_due, wanted, self._parts.clock())

    def _note_unreachable(self, connection: Connection) -> None:
        now = self._parts.clock()
        registry_id = find_registry_id(connection, self._site.name)
        if registry_id is None:
            return
        note_registry(
            connection, registry_id, state="unreachable", reason="unreachable", now=now
        )
        every = timedelta(seconds=self._site.interval_s)
        job = Job(DISCOVER, self._site.name)
        make_due(connection, job, now + min(UNREACHABLE, every))

    async def _delete(self) -> None:
        """Of repositories that no catalog is asked for."""
        parts = self._parts
        registry_id = await parts.writer.read(find_registry_id, self._site.name)
        if registry_id is not None:
            await MissingRepositories(
                parts.writer,
                registry_id,
                catalog=None,
                scope=self._site.scope,
                judging=parts.judging(self._site),
                clock=parts.clock,
            ).delete()


def _now_s() -> float:
    return asyncio.get_running_loop().time()
