"""The client of a registry for a piece of work, and what that costs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Protocol

from msgspec.structs import replace

from weighbridge.domain.image.document import Problem
from weighbridge.engine.writer.writer import Writer
from weighbridge.errors import StoreError
from weighbridge.net.guard.reach import Reach
from weighbridge.ports.protocols import JOB_COST, Registry, RequestCost
from weighbridge.store.registries.registry_rows import find_registry_id, note_cost


class ConnectedRegistry(Protocol):
    """An open client.

    seen:     the class of its own address; None if its name could not be resolved
    warnings: what is to be said about its credentials
    """

    @property
    def registry(self) -> Registry: ...

    @property
    def seen(self) -> Reach | None: ...

    @property
    def warnings(self) -> Sequence[Problem]: ...


class Clients(Protocol):
    """Clients of registries by their names: one for each registry and credential of a
    process, so that its limits hold for all that asks it."""

    def use(self, registry: str) -> AbstractAsyncContextManager[ConnectedRegistry]: ...


class Costing:
    """What a piece of work asks of a registry, to be added to the registry's row.

    cost:  counts what is asked, see `ports.JOB_COST`
    asked: told of the same: registry, requests, bytes
    """

    def __init__(
        self,
        writer: Writer,
        registry: str,
        cost: RequestCost,
        asked: Callable[[str, int, int], None],
    ) -> None:
        self._writer = writer
        self._registry = registry
        self._cost = cost
        self._asked = asked
        self._noted = RequestCost()
        self._reported = RequestCost()
        self._noting = asyncio.Lock()

    async def note(self, client: Registry) -> None:
        """Add what is new since the last time. Nobody fails for want of a number: it
        is added the next time then."""
        cost = replace(self._cost)
        self._asked(
            self._registry,
            cost.requests - self._reported.requests,
            cost.bytes_read - self._reported.bytes_read,
        )
        self._reported = cost
        async with self._noting:
            with suppress(StoreError):
                await self._keep(client)

    async def _keep(self, client: Registry) -> None:
        cost = replace(self._cost)
        if cost.requests == self._noted.requests:
            return
        registry_id = await self._writer.read(find_registry_id, self._registry)
        if registry_id is None:
            return
        await self._writer.write(
            note_cost,
            registry_id,
            requests=cost.requests - self._noted.requests,
            bytes_read=cost.bytes_read - self._noted.bytes_read,
            rate_limit=client.rate_limit,
        )
        self._noted = cost


@asynccontextmanager
async def asking(
    clients: Clients,
    writer: Writer,
    registry: str,
    asked: Callable[[str, int, int], None],
) -> AsyncIterator[ConnectedRegistry]:
    """The registry's client; what the block has asked is added to the registry's row
    at its end, whatever that is."""
    cost = RequestCost()
    costing = Costing(writer, registry, cost, asked)
    async with clients.use(registry) as connected:
        mark = JOB_COST.set(cost)
        try:
            yield connected
        finally:
            JOB_COST.reset(mark)
            await asyncio.shield(costing.note(connected.registry))
