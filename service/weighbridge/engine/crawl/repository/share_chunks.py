"""Shares what is to be asked of a large repository with whoever is free."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from weighbridge.domain.registry.listing import TagSeen
from weighbridge.engine.context.crawl_context import CrawlContext
from weighbridge.engine.crawl.repository.ask_tags import QuestionLimiter, TagAsking
from weighbridge.engine.crawl.repository.batch_writer import BatchWriter
from weighbridge.engine.crawl.repository.claim_position import FAULTS
from weighbridge.engine.crawl.repository.crawl_chunk import LENGTH, crawl_chunk
from weighbridge.engine.tags.tag_request import TagFault
from weighbridge.engine.tasks.lease_renewal import Heartbeat
from weighbridge.engine.tasks.task_group import TaskGroup
from weighbridge.engine.writer.writer import pieces
from weighbridge.errors import StaleFence, TransportError
from weighbridge.store.crawls.chunks import (
    ChunkRequest,
    HeldChunk,
    is_open,
    let_go,
    share,
    sum_up,
    take_chunk,
)
from weighbridge.store.crawls.cursor import CrawlCounts
from weighbridge.store.crawls.slices import Opened
from weighbridge.store.leases.claiming import stale
from weighbridge.store.leases.process_mark import one_claim, this_process
from weighbridge.store.tags.applying import KnownTag

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
        *,
        head_first: bool,
    ) -> None:
        self._context = context
        self._heartbeat = heartbeat
        self._claim = begun.claim
        self._crawl_id = begun.opened.id
        self._asking = asking
        self._head_first = head_first
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

    def begin(self, batch_writer: BatchWriter, group: TaskGroup) -> None:
        """What keeps the answers of this process alone, and who works beside it."""
        self._batch_writer = batch_writer
        self._group = group

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
                *(self._context, self._heartbeat, chunk, self._asking),
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
