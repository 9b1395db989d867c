"""Holds leases: says every few seconds that work goes on, so that nobody takes it over,
and takes jobs of the table `jobs` while they are done."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from weighbridge.engine.writer.writer import Writer
from weighbridge.errors import StoreError
from weighbridge.ports.protocols import urgent
from weighbridge.store.crawls.chunks import ChunkKey, renew_chunks
from weighbridge.store.leases.claiming import Claim, renew
from weighbridge.store.leases.jobs import (
    Job,
    JobClaim,
    claim_job,
    count_job_anew,
    end_job,
    give_back_job,
    renew_job,
)
from weighbridge.store.leases.validity import one_claim
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

    @contextmanager
    def holding(self, held: Claim | ChunkKey) -> Iterator[None]:
        """Renew its lease during the block."""
        if isinstance(held, ChunkKey):
            self._chunks.add(held)
        else:
            self._claims[held.repository_id] = held
        try:
            yield
        finally:
            if isinstance(held, ChunkKey):
                self._chunks.discard(held)
            else:
                self._claims.pop(held.repository_id, None)

    async def beat(self) -> None:
        """Until cancelled. A beat that fails is one beat less: the lease is longer."""
        while True:
            await asyncio.sleep(self._beat_s)
            # Behind all that waits it might come too late.
            with urgent(), suppress(StoreError):
                await self._writer.write(self._renew)
                if self._chunks:
                    # Apart: both lock repositories, in order.
                    chunks = tuple(self._chunks)
                    await self._writer.write(renew_chunks, chunks, self._clock())

    def _renew(self, connection: Connection) -> None:
        now = self._clock()
        renew(connection, tuple(self._claims.values()), now)
        self._also(connection, now)


RETRY: Final = timedelta(minutes=1)
"""A job that has failed is begun again no sooner than that."""


class SharedJobs:
    """The jobs in this process's hands."""

    def __init__(
        self,
        writer: Writer,
        clock: Callable[[], datetime],
        *,
        owner: str,
        lease_s: float,
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._owner = owner
        self._lease_s = lease_s
        self._held: set[JobClaim] = set()

    def renew(self, connection: Connection, now: datetime) -> None:
        """Renew the leases of all of them: what a heartbeat calls."""
        for held in sorted(self._held, key=lambda claim: claim.job):
            renew_job(connection, held, now)

    @asynccontextmanager
    async def doing(self, job: Job, every: timedelta) -> AsyncIterator[JobClaim | None]:
        """The block does the job; None where it is not due or is done elsewhere.

        every: so long after its beginning it is due again; a minute after its end
               where it failed, at once where it was cancelled
        """
        now = self._clock()
        claimed = await self._writer.write(
            claim_job,
            job,
            now=now,
            next_at=now + every,
            lease_s=self._lease_s,
            owner=one_claim(self._owner),
        )
        if claimed is None:
            yield None
            return
        self._held.add(claimed)
        try:
            yield claimed
        except asyncio.CancelledError:
            with suppress(StoreError):
                await asyncio.shield(
                    self._writer.write(give_back_job, claimed, self._clock())
                )
            raise
        except BaseException:
            with suppress(StoreError):  # The one that ended the job is on its way.
                await asyncio.shield(self._end(claimed, min(RETRY, every)))
            raise
        else:
            await self._end(claimed, None)
        finally:
            self._held.discard(claimed)

    async def gets_further(self, claimed: JobClaim) -> None:
        """Say that a job has stored something: it ends no process so soon."""
        if claimed.starts > 1:
            await self._writer.write(count_job_anew, claimed)

    async def put_off(self, claimed: JobClaim, wait: timedelta) -> None:
        """End a job that came to nothing: it is due again after so long."""
        await self._end(claimed, wait)

    async def _end(self, claimed: JobClaim, wait: timedelta | None) -> None:
        now = self._clock()
        retry_at = None if wait is None else now + wait
        await self._writer.write(end_job, claimed, now, retry_at=retry_at)
