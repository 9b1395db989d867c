"""One worker process: what it keeps between jobs, and what each job does."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Final, TypeAlias

from weighbridge.audit.heartbeat import Heartbeat
from weighbridge.audit.writer import Writer
from weighbridge.bootstrap.distributed.asked import asked_registry, asked_repository
from weighbridge.bootstrap.distributed.clients import KeptClients
from weighbridge.bootstrap.distributed.looks import Looks
from weighbridge.bootstrap.distributed.publishing import EVERY_S as PUBLISH_S
from weighbridge.bootstrap.distributed.publishing import Publishing, Sums
from weighbridge.bootstrap.distributed.shared_jobs import SharedJobs
from weighbridge.bootstrap.distributed.tick import Tick
from weighbridge.bootstrap.gates import Gates
from weighbridge.bootstrap.judges import Judges
from weighbridge.bootstrap.policies import LOOK_S, PolicyReload
from weighbridge.bootstrap.push_looks import PushLooks
from weighbridge.bootstrap.telling import Delivering, teller
from weighbridge.config import PolicySource, Settings
from weighbridge.errors import StoreError
from weighbridge.jobs.names import (
    CRAWL,
    DELIVER,
    DISCOVER,
    MEASURE,
    PRUNE,
    PUSH,
    SETTLE,
    TICK,
)
from weighbridge.jobs.shared_pacing import SharedPaces
from weighbridge.ports import JobQueue
from weighbridge.store.clock import DatabaseClock
from weighbridge.store.jobs import Job
from weighbridge.store.ledger.settler import settle_all
from weighbridge.store.process_mark import this_process
from weighbridge.store.pruning import prune
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

Handler: TypeAlias = Callable[[str], Awaitable[None]]

LEASE_S: Final = 30.0
"""So long after its worker was killed a repository is free again: with a tick every
ten seconds another worker has it within a minute."""
BEAT_S: Final = 8.0
_KEEP_TIME_S: Final = 60.0
EVERY_DAY: Final = timedelta(days=1)


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
        self._clock = clock
        self._writer = Writer(
            database, on_failure=lambda _: telemetry.db_write_errors.inc()
        )
        owner = this_process()
        self._shared = SharedJobs(self._writer, clock, owner=owner, lease_s=LEASE_S)
        heartbeat = Heartbeat(
            self._writer, clock, also=self._shared.renew, beat_s=BEAT_S
        )
        self._paces = paces
        self._clients = KeptClients(
            settings,
            database,
            telemetry,
            gates=Gates(None if paces is None else paces.of),
        )
        self._tick = Tick(settings, database, jobs, clock)
        self._delivering = Delivering(settings, database, telemetry, clock)
        self._policies = PolicyReload(policies or PolicySource(), telemetry)
        judges = Judges(self._policies.current, teller(settings))
        self._pushes = PushLooks(
            settings=settings,
            writer=self._writer,
            telemetry=telemetry,
            clients=self._clients,
            heartbeat=heartbeat,
            jobs=jobs,
            clock=clock,
            judging=judges.of,
            deliver=self._delivering.ring,
            owner=owner,
            lease_s=LEASE_S,
            has_measure_job=True,
        )
        self._looks = Looks(
            settings=settings,
            writer=self._writer,
            telemetry=telemetry,
            clients=self._clients,
            heartbeat=heartbeat,
            shared=self._shared,
            jobs=jobs,
            judges=judges,
            clock=clock,
            owner=owner,
            lease_s=LEASE_S,
            desk=self._pushes.desk,
        )
        self._publishing = None if sums is None else Publishing(telemetry, sums)
        self._running = (
            asyncio.create_task(heartbeat.beat()),
            asyncio.create_task(self._keep_time()),
            asyncio.create_task(self._publish()),
            asyncio.create_task(self._watch_policies()),
        )

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """What to do for each job, by its name."""
        return {
            PUSH: self._look_at_pushes,
            CRAWL: self._crawl,
            DISCOVER: self._discover,
            MEASURE: self._measure,
            SETTLE: self._settle,
            DELIVER: self._delivering.run,
            TICK: self._look_for_due,
            PRUNE: self._prune,
        }

    async def aclose(self) -> None:
        """Close clients and threads; the database's owner closes that."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._pushes.aclose()
        await self._delivering.aclose()
        await self._clients.aclose()
        if self._paces is not None:
            await self._paces.aclose()
        await asyncio.to_thread(self._writer.close)
        await self._hand_over()

    async def _watch_policies(self) -> None:
        """A task and no thread: a pool may have many processes."""
        while True:
            await asyncio.sleep(LOOK_S)
            await asyncio.to_thread(self._policies.look)

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

    async def _look_at_pushes(self, argument: str) -> None:
        await self._pushes.look(asked_repository(self._settings, argument))

    async def _crawl(self, argument: str) -> None:
        await self._looks.crawl(asked_repository(self._settings, argument))

    async def _discover(self, argument: str) -> None:
        await self._looks.discover(asked_registry(self._settings, argument))

    async def _measure(self, argument: str) -> None:
        await self._looks.measure(asked_registry(self._settings, argument))

    async def _settle(self, _: str) -> None:
        await asyncio.to_thread(settle_all, self._database)

    async def _look_for_due(self, _: str) -> None:
        await asyncio.to_thread(self._tick.run)

    async def _prune(self, _: str) -> None:
        async with self._shared.doing(Job(PRUNE), EVERY_DAY) as claimed:
            if claimed is not None:
                stopped = threading.Event()
                try:
                    await asyncio.to_thread(
                        prune,
                        self._database,
                        self._settings.history.retention,
                        self._clock(),
                        is_stopped=stopped.is_set,
                    )
                finally:
                    stopped.set()
