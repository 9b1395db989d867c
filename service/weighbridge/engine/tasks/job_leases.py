"""Holds jobs of the table `jobs` while they are done."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Final

from weighbridge.engine.writer.writer import Writer
from weighbridge.errors import StoreError
from weighbridge.store.leases.jobs import (
    Job,
    JobClaim,
    claim_job,
    count_job_anew,
    end_job,
    give_back_job,
    renew_job,
)
from weighbridge.store.leases.process_mark import one_claim
from weighbridge.store.session import Connection

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
