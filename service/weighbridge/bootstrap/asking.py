"""The client of a registry for the length of a job, and what that costs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Protocol

from weighbridge.audit.writer import Writer
from weighbridge.bootstrap.clients import Connected
from weighbridge.bootstrap.targets import Target
from weighbridge.config import RegistrySettings
from weighbridge.errors import StoreError
from weighbridge.ports import JOB_COST, Cost
from weighbridge.store.registries import find_registry_id, note_cost


class Clients(Protocol):
    """Clients of registries: `KeptClients`."""

    def use(self, target: Target) -> AbstractAsyncContextManager[Connected]: ...


@asynccontextmanager
async def asking(
    clients: Clients, writer: Writer, registry: RegistrySettings
) -> AsyncIterator[Connected]:
    """The registry's client; what the block has asked is added to the registry's row
    at its end, whatever that is."""
    cost = Cost()
    target = Target(registry.name, registry.url, registry)
    async with clients.use(target) as connected:
        mark = JOB_COST.set(cost)
        try:
            yield connected
        finally:
            JOB_COST.reset(mark)
            if cost.requests:
                with suppress(StoreError):  # Nobody fails for want of a number.
                    noted = _note_cost(writer, registry.name, connected, cost)
                    await asyncio.shield(noted)


async def _note_cost(
    writer: Writer, name: str, connected: Connected, cost: Cost
) -> None:
    registry_id = await writer.read(find_registry_id, name)
    if registry_id is not None:
        await writer.write(
            note_cost,
            registry_id,
            requests=cost.requests,
            bytes_read=cost.bytes_read,
            rate_limit=connected.registry.rate_limit,
        )
