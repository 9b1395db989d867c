"""Registry clients that outlive a job, so that their connections do."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from weighbridge.bootstrap.clients import Connected, registry_client
from weighbridge.bootstrap.targets import Target
from weighbridge.config import Settings
from weighbridge.ports import Pacing
from weighbridge.registry.endpoint import Endpoint
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

RENEW_S: Final = 300.0
"""A client that is older is opened anew as soon as nobody uses it: its password and
the registry's address may have changed since."""


@dataclass(slots=True)
class _Kept:
    connected: Connected
    opened: AsyncExitStack
    since: float
    users: int = 0


class KeptClients:
    """One client for each registry of one event loop."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        telemetry: Telemetry,
        *,
        share: Callable[[Endpoint], Pacing] | None = None,
        docker_config: Path | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._database = database
        self._telemetry = telemetry
        self._share = share
        self._docker_config = docker_config
        self._monotonic = monotonic
        self._kept: dict[str, _Kept] = {}

    @asynccontextmanager
    async def use(self, target: Target) -> AsyncIterator[Connected]:
        """The registry's client, which nobody closes while the block lasts.

        Raises ConfigError where its password cannot be read."""
        kept = self._kept.get(target.name)
        if kept is not None and self._is_old(kept):
            del self._kept[target.name]
            await kept.opened.aclose()
            kept = None
        if kept is None:
            kept = await self._open(target)
        kept.users += 1
        try:
            yield kept.connected
        finally:
            kept.users -= 1

    async def aclose(self) -> None:
        """Close them all."""
        kept, self._kept = self._kept, {}
        for client in kept.values():
            await client.opened.aclose()

    def _is_old(self, kept: _Kept) -> bool:
        return not kept.users and self._monotonic() - kept.since > RENEW_S

    async def _open(self, target: Target) -> _Kept:
        stack = AsyncExitStack()
        connected = await stack.enter_async_context(
            registry_client(
                self._settings,
                target,
                self._telemetry,
                database=self._database,
                share=self._share,
                docker_config=self._docker_config,
            )
        )
        # Another job may have opened one while we did.
        there = self._kept.get(target.name)
        if there is not None:
            await stack.aclose()
            return there
        kept = _Kept(connected, stack, self._monotonic())
        self._kept[target.name] = kept
        return kept
