"""Says every few seconds that a crawl lives, so that nobody takes its work over."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final

from weighbridge.audit.writer import Writer
from weighbridge.errors import StoreError
from weighbridge.store.claiming import Claim, renew
from weighbridge.store.crawls import renew_crawl
from weighbridge.store.session import Connection

LEASE_S: Final = 60.0
"""How long others wait for a process of which nobody knows whether it still runs."""
BEAT_S: Final = 15.0


class Heartbeat:
    """Renews a crawl's record and the leases of the repositories in its hands."""

    def __init__(
        self,
        registry_id: int,
        owner: str,
        writer: Writer,
        clock: Callable[[], datetime],
        *,
        beat_s: float = BEAT_S,
    ) -> None:
        self._registry_id = registry_id
        self._owner = owner
        self._writer = writer
        self._clock = clock
        self._beat_s = beat_s
        self._claims: dict[int, Claim] = {}

    def hold(self, claim: Claim) -> None:
        """Renew this claim from now on."""
        self._claims[claim.repository_id] = claim

    def drop(self, claim: Claim) -> None:
        """The opposite."""
        self._claims.pop(claim.repository_id, None)

    async def beat(self) -> None:
        """Until cancelled. A beat that fails is one beat less: the lease is longer."""
        while True:
            await asyncio.sleep(self._beat_s)
            with suppress(StoreError):
                await self._writer.write(self._renew)

    def _renew(self, connection: Connection) -> None:
        now = self._clock()
        renew(connection, tuple(self._claims.values()), now)
        renew_crawl(
            connection,
            self._registry_id,
            now=now,
            owner=self._owner,
            lease_s=LEASE_S,
        )
