"""One worker process: its engine, and what goes on beside that."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from typing import Final

from weighbridge.bootstrap.distributed.publishing import EVERY_S as PUBLISH_S
from weighbridge.bootstrap.distributed.publishing import Publishing, Sums
from weighbridge.bootstrap.engine.assembly import Work, an_engine
from weighbridge.bootstrap.engine.delivery_parts import Delivering, notice_planning
from weighbridge.bootstrap.registries.kept_clients import KeptClients
from weighbridge.bootstrap.registries.rate_limiters import RateLimiters
from weighbridge.bootstrap.registries.sites import configured_targets
from weighbridge.config import PolicySource, Settings
from weighbridge.engine.engine import Handler
from weighbridge.engine.judge.criteria import Judges
from weighbridge.engine.judge.policy_reload import POLL_S, PolicyReload
from weighbridge.errors import StoreError
from weighbridge.jobs.pacing.shared_pacing import SharedPaces
from weighbridge.ports.protocols import JobQueue
from weighbridge.store.leases.database_clock import DatabaseClock
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

_KEEP_TIME_S: Final = 60.0


class Distributed:
    """The parts of one process, made on the event loop that its jobs run on.

    clock: measured once already; measured again now and then
    paces: where the limits of registries are shared; closed with the rest
    sums:  where what is counted is handed over; the owner closes it after the rest
    policies: read again when their files change; None for the one that is built in
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        telemetry: Telemetry,
        jobs: JobQueue,
        clock: DatabaseClock,
        *,
        paces: SharedPaces | None = None,
        sums: Sums | None = None,
        policies: PolicySource | None = None,
    ) -> None:
        self._settings = settings
        self._database = database
        self._telemetry = telemetry
        self._jobs = jobs
        self._clock = clock
        self._paces = paces
        self._policies = PolicyReload(policies or PolicySource(), telemetry)
        self._publishing = None if sums is None else Publishing(telemetry, sums)
        self._opened = AsyncExitStack()
        self._running: tuple[asyncio.Task[None], ...] = ()
        self.handlers: Mapping[str, Handler] = {}

    async def open(self) -> None:
        """Begin; the handlers are there then."""
        settings, database, telemetry = self._settings, self._database, self._telemetry
        paces = self._paces
        work = Work(
            targets=configured_targets(settings),
            judges=Judges(self._policies.current, notice_planning(settings)),
            clients=KeptClients(
                settings,
                database,
                telemetry,
                gates=RateLimiters(None if paces is None else paces.of),
            ),
            delivering=Delivering(settings, database, telemetry, self._clock),
            has_others=True,
        )
        running = await self._opened.enter_async_context(
            an_engine(settings, database, telemetry, self._jobs, self._clock, work)
        )
        self.handlers = running.engine.handlers
        self._running = (
            asyncio.create_task(self._keep_time()),
            asyncio.create_task(self._publish()),
            asyncio.create_task(self._watch_policies()),
        )

    async def aclose(self) -> None:
        """Close clients and threads; the database's owner closes that."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._opened.aclose()
        if self._paces is not None:
            await self._paces.aclose()
        await self._hand_over()

    async def _watch_policies(self) -> None:
        """A task and no thread: a pool may have many processes."""
        while True:
            await asyncio.sleep(POLL_S)
            await asyncio.to_thread(self._policies.poll)

    async def _publish(self) -> None:
        while True:
            await asyncio.sleep(PUBLISH_S)
            await self._hand_over()

    async def _hand_over(self) -> None:
        """Beside the jobs, none of which waits for Redis here."""
        if self._publishing is not None:
            with suppress(OSError):
                await asyncio.to_thread(self._publishing.publish)

    async def _keep_time(self) -> None:
        """Machines' clocks go apart slowly, or are put right at once."""
        while True:
            await asyncio.sleep(_KEEP_TIME_S)
            with suppress(StoreError):
                await asyncio.to_thread(self._clock.measure)
