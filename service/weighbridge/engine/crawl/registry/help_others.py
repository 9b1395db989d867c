"""Takes part in crawls of large repositories that other processes have."""

import asyncio
import contextvars
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final

from weighbridge.engine.context.crawl_context import CrawlContext
from weighbridge.engine.context.parts import Parts
from weighbridge.engine.context.registry_clients import Costing
from weighbridge.engine.context.site import Site
from weighbridge.engine.crawl.repository.crawl_chunk import take_part
from weighbridge.engine.tasks.side_by_side import cancel_begun
from weighbridge.errors import StoreError, WeighbridgeError
from weighbridge.ports.job_names import CRAWL
from weighbridge.ports.protocols import Registry
from weighbridge.store.crawls.chunks import (
    ChunkRequest,
    HeldChunk,
    has_chunk,
    let_go,
    take_chunk,
)
from weighbridge.store.leases.process_mark import one_claim
from weighbridge.store.registries.registry_rows import find_registry_id

REST_S: Final = 10.0
"""A process that got no answers, or found what it is not to ask for, leaves the chunks
of others alone for so long."""


class Helping:
    """Of one registry, in one process: one chunk after the other.

    context:   what its crawls share, by its client
    ended:     told when there are no more
    variables: those of its requests
    """

    def __init__(
        self,
        parts: Parts,
        site: Site,
        costing: Costing,
        context: Callable[[Registry], CrawlContext],
        ended: Callable[[], None],
        variables: contextvars.Context,
    ) -> None:
        self._parts = parts
        self._site = site
        self._costing = costing
        self._context = context
        self._ended = ended
        self._variables = variables
        self._task: asyncio.Task[None] | None = None
        self._rests_until = float("-inf")
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
        self._task = asyncio.create_task(
            self._help(chunk), context=self._variables.copy()
        )
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
        """Whoever has the repository tells of what is found."""
        parts, is_answered = self._parts, False
        try:
            async with parts.clients.use(self._site.name) as connected:
                context = self._context(connected.registry)
                with parts.writer.expecting():
                    is_answered = await take_part(
                        context, parts.heartbeat, first, self._take
                    )
                await self._costing.note(connected.registry)
        except WeighbridgeError as exc:
            parts.watcher.failed(self._site.name, None, exc)
        except Exception as exc:  # noqa: BLE001 - the crawls of this process go on
            error = WeighbridgeError(repr(exc), code="bug")
            parts.watcher.failed(self._site.name, None, error)
        finally:
            if not is_answered:
                with suppress(StoreError):  # Its lease ends then.
                    await asyncio.shield(parts.writer.write(let_go, first.key))
                self._rests_until = asyncio.get_running_loop().time() + REST_S
            self._task = None
            self._ended()
