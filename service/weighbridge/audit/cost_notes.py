"""Keeps what a crawl has asked of its registry, also while it runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Final

from weighbridge.audit.writer import Writer
from weighbridge.errors import StoreError
from weighbridge.ports import Registry
from weighbridge.store.registries import is_discovered, note_cost

COUNT_S: Final = 2.0
"""How often a first crawl counts up: a page that is watched asks about as often."""


class CostNotes:
    """What one client has asked since it was handed in, added to the registry's row."""

    def __init__(
        self, registry: Registry, writer: Writer, *, count_s: float = COUNT_S
    ) -> None:
        self._registry = registry
        self._writer = writer
        self._count_s = count_s
        self._noted = replace(registry.cost)

    @asynccontextmanager
    async def kept(self, registry_id: int) -> AsyncIterator[None]:
        """Keep it at the end of the block, whatever that is; and during a first crawl,
        of which nothing else is known, every few seconds."""
        ended = asyncio.Event()
        counting = asyncio.create_task(self._count_up(registry_id, ended))
        try:
            yield
        finally:
            ended.set()
            # Also where the crawl is interrupted: it was asked all the same.
            await asyncio.shield(counting)

    async def _count_up(self, registry_id: int, ended: asyncio.Event) -> None:
        if await self._is_first(registry_id):
            while not ended.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), self._count_s)
                await self._note(registry_id)
        await ended.wait()
        await self._note(registry_id)

    async def _is_first(self, registry_id: int) -> bool:
        with suppress(StoreError):  # The one that ends the crawl is on its way.
            return not await self._writer.read(is_discovered, registry_id)
        return False

    async def _note(self, registry_id: int) -> None:
        cost = replace(self._registry.cost)
        requests = cost.requests - self._noted.requests
        if not requests:
            return
        with suppress(StoreError):
            await self._writer.write(
                note_cost,
                registry_id,
                requests=requests,
                bytes_read=cost.bytes_read - self._noted.bytes_read,
                rate_limit=self._registry.rate_limit,
            )
            self._noted = cost
