"""Says every few seconds that work goes on, so that nobody takes it over."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Final, TypeAlias

from weighbridge.engine.writer.writer import Writer
from weighbridge.errors import StoreError
from weighbridge.ports.protocols import IS_URGENT
from weighbridge.store.crawls.chunks import ChunkKey, renew_chunks
from weighbridge.store.leases.claiming import Claim, renew
from weighbridge.store.session import Connection

LEASE_S: Final = 30.0
"""How long others wait for a process of which nobody knows whether it still runs."""
BEAT_S: Final = 8.0

Renewal: TypeAlias = Callable[[Connection, datetime], None]


def _nothing_else(connection: Connection, now: datetime) -> None:
    """Stands in where only repositories are held."""


class Heartbeat:
    """Renews the leases of the repositories, and chunks of others, in our hands.

    also: renews what they belong to, in the same transaction
    """

    def __init__(
        self,
        writer: Writer,
        clock: Callable[[], datetime],
        *,
        also: Renewal = _nothing_else,
        beat_s: float = BEAT_S,
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._also = also
        self._beat_s = beat_s
        self._claims: dict[int, Claim] = {}
        self._chunks: set[ChunkKey] = set()

    def hold(self, claim: Claim) -> None:
        """Renew this claim from now on."""
        self._claims[claim.repository_id] = claim

    def drop(self, claim: Claim) -> None:
        """The opposite."""
        self._claims.pop(claim.repository_id, None)

    @contextmanager
    def holding(self, chunk: ChunkKey) -> Iterator[None]:
        """Renew its lease during the block."""
        self._chunks.add(chunk)
        try:
            yield
        finally:
            self._chunks.discard(chunk)

    async def beat(self) -> None:
        """Until cancelled. A beat that fails is one beat less: the lease is longer."""
        while True:
            await asyncio.sleep(self._beat_s)
            # Behind all that waits it might come too late.
            mark = IS_URGENT.set(True)
            with suppress(StoreError):
                await self._writer.write(self._renew)
                if self._chunks:
                    # Apart: both lock repositories, in order.
                    chunks = tuple(self._chunks)
                    await self._writer.write(renew_chunks, chunks, self._clock())
            IS_URGENT.reset(mark)

    def _renew(self, connection: Connection) -> None:
        now = self._clock()
        renew(connection, tuple(self._claims.values()), now)
        self._also(connection, now)
