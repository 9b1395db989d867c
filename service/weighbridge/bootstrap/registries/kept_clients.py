"""Registry clients that outlive a job, so that their connections do."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, TypeAlias

from msgspec import Struct

from weighbridge.bootstrap.registries.clients import (
    OpenClient,
    RateLimiters,
    registry_client,
)
from weighbridge.bootstrap.registries.targets import AddressAccess, Target
from weighbridge.config import Settings
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

RENEW_S: Final = 300.0
"""A client that is older is not given to anybody any more: its password and the
registry's address may have changed since."""

_Key: TypeAlias = tuple[str, str, AddressAccess]


class _KeptClient(Struct):
    connected: OpenClient
    opened: AsyncExitStack
    since: float
    users: int = 0
    is_replaced: bool = False


class KeptClients:
    """One client for each registry of one event loop, for all that asks it.

    Clients of entries with the same address and credential share one gate, and so does
    a client with the one that it replaces.

    gates: where their limits are; None: of this process alone
    docker_config: where `docker login` keeps logins; None: where it does by default
    opened: opens a client, `registry_client`
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        telemetry: Telemetry,
        *,
        gates: RateLimiters | None = None,
        docker_config: Path | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        opened: Callable[
            ..., AbstractAsyncContextManager[OpenClient]
        ] = registry_client,
    ) -> None:
        self._settings = settings
        self._database = database
        self._telemetry = telemetry
        self._gates = RateLimiters() if gates is None else gates
        self._docker_config = docker_config
        self._monotonic = monotonic
        self._opened = opened
        self._kept: dict[_Key, _KeptClient] = {}
        self._opening: defaultdict[_Key, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def use(self, target: Target) -> AsyncIterator[OpenClient]:
        """The registry's client, which nobody closes while the block lasts.

        Raises ConfigError where its password cannot be read."""
        kept = await self._taken(target)
        try:
            yield kept.connected
        finally:
            kept.users -= 1
            if kept.is_replaced and not kept.users:
                await kept.opened.aclose()

    async def aclose(self) -> None:
        """Close them all."""
        kept, self._kept = self._kept, {}
        for client in kept.values():
            await client.opened.aclose()

    async def _taken(self, target: Target) -> _KeptClient:
        """One that is young enough, with one user more. Who uses an older one goes on
        with it to the end."""
        key = (target.name, target.url, target.access)
        # Of those who find none, one opens it and the others wait.
        async with self._opening[key]:
            kept = self._kept.get(key)
            if kept is None or self._is_old(kept):
                kept = await self._open(target)
                before = self._kept.get(key)
                self._kept[key] = kept
                if before is not None:
                    await self._leave(before)
            kept.users += 1
        await self._close_unused()
        return kept

    async def _close_unused(self) -> None:
        """What nobody has used for long: connections are not kept for ever."""
        for key, kept in list(self._kept.items()):
            if not kept.users and self._is_old(kept):
                self._kept.pop(key)
                await self._leave(kept)

    async def _leave(self, kept: _KeptClient) -> None:
        """Give it to nobody any more; its last user closes it."""
        kept.is_replaced = True
        if not kept.users:
            await kept.opened.aclose()

    def _is_old(self, kept: _KeptClient) -> bool:
        return self._monotonic() - kept.since > RENEW_S

    async def _open(self, target: Target) -> _KeptClient:
        stack = AsyncExitStack()
        connected = await stack.enter_async_context(
            self._opened(
                self._settings,
                target,
                self._telemetry,
                database=self._database,
                docker_config=self._docker_config,
                gates=self._gates,
            )
        )
        return _KeptClient(connected, stack, self._monotonic())
