"""Chunks of a repository that is too large for one process.

The process that has the repository's claim makes them and works on them
(`ChunkSharing`); whoever else is free takes part (`Helping`).
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Final

from msgspec.structs import replace

from weighbridge.domain.registry.listing import TagSeen
from weighbridge.engine.context.crawl_context import CrawlContext
from weighbridge.engine.context.parts import Costing, Parts, Site
from weighbridge.engine.crawl.repository.ask_tags import QuestionLimiter, TagAsking
from weighbridge.engine.crawl.repository.batch_writer import (
    FAULTS,
    BatchWriter,
    Tally,
)
from weighbridge.engine.crawl.repository.transactions import Meanwhile
from weighbridge.engine.tags.tag_request import TagFault
from weighbridge.engine.tasks.lease_renewal import Heartbeat
from weighbridge.engine.tasks.side_by_side import TaskGroup, cancel_begun
from weighbridge.engine.writer.writer import Writer, pieces
from weighbridge.errors import StaleFence, StoreError, TransportError, WeighbridgeError
from weighbridge.ports.job_names import CRAWL
from weighbridge.ports.protocols import CRAWL_COST, JOB_COST, Registry, RequestCost
from weighbridge.store.crawls.chunks import (
    ChunkKey,
    ChunkRequest,
    CrawlCounts,
    HeldChunk,
    has_chunk,
    is_open,
    let_go,
    share,
    sum_up,
    take_chunk,
)
from weighbridge.store.crawls.crawl_rows import complete_since
from weighbridge.store.crawls.due import Opened
from weighbridge.store.leases.claiming import stale
from weighbridge.store.leases.validity import one_claim, this_process
from weighbridge.store.registries.registry_rows import find_registry_id
from weighbridge.store.tags.applying import KnownTag

LENGTH: Final = 1_000
"""Tags of a chunk: taking one and ending it then cost little beside asking it."""


async def crawl_chunk(
    context: CrawlContext,
    heartbeat: Heartbeat,
    chunk: HeldChunk,
    asking: TagAsking,
    meanwhile: Meanwhile,
    all_asked: asyncio.Event,
) -> Tally:
    """Ask all of it and keep it. What is not asked then, since the registry sends us
    away, is anybody's again. Raises StaleFence where it is not ours any more, and
    TransportError once the registry has fallen silent.

    all_asked: set once nothing of it is left to be asked
    """
    CRAWL_COST.set(cost := RequestCost())
    key = chunk.key
    with heartbeat.holding(key):
        try:
            async with TaskGroup() as group:
                batch_writer = BatchWriter(
                    context,
                    key.claim,
                    key.crawl_id,
                    meanwhile,
                    cost,
                    group,
                    chunk=chunk,
                )
                try:
                    await _ask(chunk, asking, batch_writer, all_asked)
                finally:
                    batch_writer.close()
        except BaseException:
            await _let_go(context.writer, key)
            raise
        finally:
            all_asked.set()
        if asking.answers.sent_away is not None:
            await _let_go(context.writer, key)
    tally = batch_writer.tally
    context.count_manifests(tally.answered, tally.unchanged)
    return tally


async def _ask(
    chunk: HeldChunk,
    asking: TagAsking,
    batch_writer: BatchWriter,
    all_asked: asyncio.Event,
) -> None:
    broken: TransportError | None = None
    try:
        async with TaskGroup() as group:
            await asking.ask(chunk.tags, batch_writer, group)
            all_asked.set()
    except TransportError as exc:
        broken = exc
    is_done = broken is None and asking.answers.sent_away is None
    await batch_writer.end(is_done=is_done)
    if broken is not None:
        raise broken


async def _let_go(writer: Writer, key: ChunkKey) -> None:
    with suppress(StoreError):  # Its lease ends then.
        await asyncio.shield(writer.write(let_go, key))


ALONE: Final = 1_000
"""So many questions of one repository its own process asks alone: others would only
wait for each other."""
WAIT_S: Final = 0.25
"""So often it is looked whether other processes have done their chunks."""


class ChunkSharing:
    """By the process that has the repository's claim: it makes the chunks, works on
    them as others do, and waits for the last.

    broken: why this process does not go on with it, or None
    """

    def __init__(
        self,
        context: CrawlContext,
        heartbeat: Heartbeat,
        begun: Opened,
        asking: TagAsking,
        batch_writer: BatchWriter,
        group: TaskGroup,
        *,
        head_first: bool,
    ) -> None:
        self._context = context
        self._heartbeat = heartbeat
        self._claim = begun.claim
        self._crawl_id = begun.opened.id
        self._asking = asking
        self._head_first = head_first
        self._batch_writer = batch_writer
        self._group = group
        self._room = None if context.registry.has_quota else QuestionLimiter(ALONE)
        self._waiting: list[TagSeen] = []
        self._owners: set[str] = set()
        self._crawling = 0
        self._is_listed = False
        self._is_over = False
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()
        self.is_any = False
        self.broken: TransportError | None = None

    async def ask(
        self,
        tags: Sequence[TagSeen],
        asking: TaskGroup,
        known: Mapping[str, KnownTag] | None,
    ) -> None:
        """Ask about tags, or let whoever is free ask."""
        self._waiting += await self._asking.ask(
            tags, self._batch_writer, asking, known=known, room=self._room
        )
        if len(self._waiting) >= LENGTH:
            whole = len(self._waiting) // LENGTH * LENGTH
            ready, self._waiting = self._waiting[:whole], self._waiting[whole:]
            await self._share(ready)

    async def ask_rest(self, asking: TaskGroup) -> None:
        """The listing has ended."""
        rest, self._waiting = self._waiting, []
        if rest and self.is_any:
            await self._share(rest)
        elif rest:
            await self._asking.ask(rest, self._batch_writer, asking)

    async def finish(self, *, is_broken: bool) -> None:
        """Wait until all is done. is_broken: or, what this process has begun"""
        self._is_listed = True
        self._is_over |= is_broken
        self._changed.set()
        if self.is_any:
            await self._ended.wait()

    async def sum_up(self) -> CrawlCounts:
        """What all who worked on it have counted. What they found is added to what
        this process knows of its crawl."""
        counts, found = await self._context.writer.read(sum_up, self._crawl_id)
        tally = self._batch_writer.tally
        for one in found:
            tally.unanswered = tally.unanswered or one.unanswered
            faults = [TagFault(*fault) for fault in one.faults]
            tally.faults += faults[: FAULTS - len(tally.faults)]
            # Nobody but they know what they have asked in vain.
            tally.is_plain &= one.owner in self._owners
        return counts

    async def _share(self, tags: Sequence[TagSeen]) -> None:
        chunks = {
            self._batch_writer.next_position(): chunk for chunk in pieces(tags, LENGTH)
        }
        # Before there are any: the thread that writes may read it at once.
        self._batch_writer.meanwhile.is_shared = True
        await self._context.writer.write(
            share,
            self._claim,
            self._context.clock(),
            self._crawl_id,
            chunks,
            head_first=self._head_first,
        )
        if not self.is_any:
            self.is_any = True
            self._group.spawn(self._work())
        self._changed.set()
        self._context.shared()

    @property
    def _is_done(self) -> bool:
        is_stopped = self._asking.answers.sent_away is not None
        return self._is_over or is_stopped or self.broken is not None

    async def _work(self) -> None:
        try:
            while not self._is_done:
                self._changed.clear()
                if (chunk := await self._take()) is not None:
                    all_asked = asyncio.Event()
                    self._crawling += 1
                    self._group.spawn(self._crawl_chunk(chunk, all_asked))
                    await all_asked.wait()
                elif self._crawling or not self._is_listed:
                    await self._changed.wait()
                elif not await self._context.writer.write(is_open, self._crawl_id):
                    return
                else:
                    await asyncio.sleep(WAIT_S)
            while self._crawling:
                self._changed.clear()
                await self._changed.wait()
        finally:
            self._ended.set()

    async def _take(self) -> HeldChunk | None:
        owner = one_claim(this_process())
        wanted = ChunkRequest(
            self._context.clock(), self._claim.lease_s, owner, crawl_id=self._crawl_id
        )
        chunk = await self._context.writer.write(take_chunk, wanted)
        if chunk is None:
            return None
        if chunk.key.claim.fence != self._claim.fence:
            await self._context.writer.write(let_go, chunk.key)
            raise stale(self._claim)
        self._owners.add(owner)
        return replace(chunk, key=chunk.key._replace(claim=self._claim))

    async def _crawl_chunk(self, chunk: HeldChunk, all_asked: asyncio.Event) -> None:
        batch_writer = self._batch_writer
        try:
            tally = await crawl_chunk(
                self._context,
                self._heartbeat,
                chunk,
                self._asking,
                batch_writer.meanwhile,
                all_asked,
            )
            batch_writer.tally.asked_in_vain |= tally.asked_in_vain
            batch_writer.tally.is_plain &= tally.is_plain
        except TransportError as exc:
            self.broken = exc
        except StaleFence:
            pass  # Somebody else has it: for how long is seen when all are done.
        finally:
            all_asked.set()
            self._crawling -= 1
            self._changed.set()


REST_S: Final = 10.0
"""A process that got no answers, or found what it is not to ask for, leaves the chunks
of others alone for so long."""


class Helping:
    """Of one registry, in one process: one chunk after the other.

    context:   what its crawls share, by its client
    ended:     told when there are no more
    """

    def __init__(
        self,
        parts: Parts,
        site: Site,
        costing: Costing,
        context: Callable[[Registry], CrawlContext],
        ended: Callable[[], None],
    ) -> None:
        self._parts = parts
        self._site = site
        self._costing = costing
        self._context = context
        self._ended = ended
        self._task: asyncio.Task[None] | None = None
        self._rests_until = float("-inf")
        self._is_answered = True
        self._ours: Callable[[], Collection[int]] = tuple

    @property
    def is_busy(self) -> bool:
        return self._task is not None

    async def begin(self, ours: Callable[[], Collection[int]]) -> bool:
        """Whether it was begun: there is a chunk of a repository that is not ours, and
        that the configuration of this process does not leave out.

        ours: those that this process has, whenever it is asked
        """
        loop, parts = asyncio.get_running_loop(), self._parts
        if self.is_busy or loop.time() < self._rests_until:
            return False
        if not await parts.writer.read(has_chunk, self._site.name):
            return False
        self._ours = ours
        chunk = await self._take()
        if chunk is None:
            return False
        # There may be more: whoever is free joins.
        parts.jobs.put(CRAWL, self._site.name)
        self._task = asyncio.create_task(self._help(chunk))
        return True

    async def stop(self) -> None:
        """Give back what is being done."""
        if self._task is not None:
            await cancel_begun([self._task])

    async def _take(self) -> HeldChunk | None:
        writer = self._parts.writer
        registry_id = await writer.read(find_registry_id, self._site.name)
        if registry_id is None:
            return None
        wanted = ChunkRequest(
            self._parts.clock(),
            self._parts.lease_s,
            one_claim(self._parts.owner),
            registry_id=registry_id,
            but_not=tuple(self._ours()),
        )
        chunk = await writer.write(take_chunk, wanted)
        if chunk is None or self._site.scope.includes(chunk.key.claim.repository):
            return chunk
        await writer.write(let_go, chunk.key)
        self._rests_until = asyncio.get_running_loop().time() + REST_S
        return None

    async def _help(self, first: HeldChunk) -> None:
        """Whoever has the repository tells of what is found, and finds out what it
        means if the registry does not answer."""
        JOB_COST.set(self._costing.cost)
        parts, is_answered = self._parts, False
        try:
            async with parts.clients.use(self._site.name) as connected:
                context = self._context(connected.registry)
                with parts.writer.expecting():
                    is_answered = await self._crawl_all(context, first)
                await self._costing.note(connected.registry)
        except WeighbridgeError as exc:
            parts.watcher.failed(self._site.name, None, exc)
        except Exception as exc:  # noqa: BLE001 - the crawls of this process go on
            error = WeighbridgeError(repr(exc), code="bug")
            parts.watcher.failed(self._site.name, None, error)
        finally:
            if not is_answered:
                await _let_go(parts.writer, first.key)
                self._rests_until = asyncio.get_running_loop().time() + REST_S
            self._task = None
            self._ended()

    async def _crawl_all(self, context: CrawlContext, first: HeldChunk) -> bool:
        """Look at this chunk, and at others, as long as there are any. Whether the
        registry answered. Raises StoreError."""
        self._is_answered = True
        chunk: HeldChunk | None = first
        async with TaskGroup() as group:
            while chunk is not None:
                all_asked = asyncio.Event()
                group.spawn(self._crawl(context, chunk, all_asked))
                await all_asked.wait()
                chunk = await self._take() if self._is_answered else None
        return self._is_answered

    async def _crawl(
        self, context: CrawlContext, chunk: HeldChunk, all_asked: asyncio.Event
    ) -> None:
        claim = chunk.key.claim
        try:
            since = await context.writer.read(complete_since, claim.repository_id)
            asking = TagAsking(
                context, claim, since, head_first=chunk.head_first, is_helper=True
            )
            await crawl_chunk(
                context,
                self._parts.heartbeat,
                chunk,
                asking,
                Meanwhile(is_shared=True, is_elsewhere=True),
                all_asked,
            )
            self._is_answered &= asking.answers.sent_away is None
        except StaleFence:
            pass  # The crawl has ended, or somebody else has taken it up.
        except StoreError:
            await _let_go(context.writer, chunk.key)
            raise
        except WeighbridgeError:
            self._is_answered = False
        finally:
            all_asked.set()
