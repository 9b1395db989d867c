"""Looks at a chunk of a repository that is too large for one process: whoever has the
repository's claim does it, and whoever else is free."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeAlias

from weighbridge.engine.context.crawl_context import CrawlContext
from weighbridge.engine.crawl.repository.ask_tags import TagAsking
from weighbridge.engine.crawl.repository.batch_writer import BatchWriter
from weighbridge.engine.crawl.repository.claim_position import Tally, Where
from weighbridge.engine.crawl.repository.write_steps import Meanwhile
from weighbridge.engine.tasks.lease_renewal import Heartbeat
from weighbridge.engine.tasks.task_group import TaskGroup
from weighbridge.errors import StaleFence, StoreError, TransportError, WeighbridgeError
from weighbridge.ports.protocols import CRAWL_COST, RequestCost
from weighbridge.store.crawls.chunks import ChunkKey, HeldChunk, let_go
from weighbridge.store.crawls.crawl_rows import complete_since

LENGTH: Final = 1_000
"""Tags of a chunk: taking one and ending it then cost little beside asking it."""

Take: TypeAlias = Callable[[], Awaitable[HeldChunk | None]]


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
                where = Where(key.claim, key.crawl_id, meanwhile, chunk=chunk)
                batch_writer = BatchWriter(context, where, cost, group)
                try:
                    await _ask(chunk, asking, batch_writer, all_asked)
                finally:
                    batch_writer.close()
        except BaseException:
            await _let_go(context, key)
            raise
        finally:
            all_asked.set()
        if asking.answers.sent_away is not None:
            await _let_go(context, key)
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


async def _let_go(context: CrawlContext, key: ChunkKey) -> None:
    with suppress(StoreError):  # Its lease ends then.
        await asyncio.shield(context.writer.write(let_go, key))


async def take_part(
    context: CrawlContext, heartbeat: Heartbeat, first: HeldChunk, take: Take
) -> bool:
    """Look at this chunk, and at others, as long as there are any. Whether the
    registry answered: if not, whoever has the claim will find out what that means.
    Raises StoreError."""
    chunk: HeldChunk | None = first
    async with TaskGroup() as group:
        others = _Others(context, heartbeat)
        while chunk is not None:
            all_asked = asyncio.Event()
            group.spawn(others.crawl(chunk, all_asked))
            await all_asked.wait()
            chunk = await take() if others.is_answered else None
    return others.is_answered


class _Others:
    """Chunks of other processes."""

    def __init__(self, context: CrawlContext, heartbeat: Heartbeat) -> None:
        self._context = context
        self._heartbeat = heartbeat
        self.is_answered = True

    async def crawl(self, chunk: HeldChunk, all_asked: asyncio.Event) -> None:
        context, claim = self._context, chunk.key.claim
        try:
            since = await context.writer.read(complete_since, claim.repository_id)
            asking = TagAsking(
                context, claim, since, head_first=chunk.head_first, is_helper=True
            )
            await crawl_chunk(
                *(context, self._heartbeat, chunk, asking),
                Meanwhile(is_shared=True, is_elsewhere=True),
                all_asked,
            )
            self.is_answered &= asking.answers.sent_away is None
        except StaleFence:
            pass  # The crawl has ended, or somebody else has taken it up.
        except StoreError:
            await _let_go(context, chunk.key)
            raise
        except WeighbridgeError:
            self.is_answered = False
        finally:
            all_asked.set()
