"""Pushes in the process that does everything: their parts, on the loop of its jobs."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from weighbridge.audit.heartbeat import LEASE_S, Heartbeat
from weighbridge.audit.judging import Judging
from weighbridge.audit.push_desk import PushDesk
from weighbridge.audit.writer import Writer
from weighbridge.bootstrap.distributed.asked import asked_repository
from weighbridge.bootstrap.distributed.clients import KeptClients
from weighbridge.bootstrap.gates import Gates
from weighbridge.bootstrap.push_looks import PushLooks
from weighbridge.bootstrap.waiting_pushes import ring_for_pushes, show_inbox
from weighbridge.config import RegistrySettings, Settings
from weighbridge.errors import StoreError
from weighbridge.jobs.names import DELIVER
from weighbridge.ports import JobQueue
from weighbridge.store.ahead import have_due_what_is_ahead
from weighbridge.store.process_mark import this_process
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry


class EmbeddedPushes:
    """The job `PUSH`, with a writer and clients of its own: a push waits for no crawl.

    gates: shared with crawls, so that the limits hold for both together
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        telemetry: Telemetry,
        clock: Callable[[], datetime],
        judging: Callable[[RegistrySettings], Judging],
        gates: Gates,
    ) -> None:
        self._settings = settings
        self._database = database
        self._telemetry = telemetry
        self._clock = clock
        self._judging = judging
        self._writer = Writer(
            database, on_failure=lambda _: telemetry.db_write_errors.inc()
        )
        self._clients = KeptClients(settings, database, telemetry, gates=gates)
        self._heartbeat = Heartbeat(self._writer, clock)
        self._beating: asyncio.Task[None] | None = None
        self._looks: PushLooks | None = None

    def begin(self, jobs: JobQueue) -> None:
        """Say who is asked for what follows from a push."""
        self._looks = PushLooks(
            settings=self._settings,
            writer=self._writer,
            telemetry=self._telemetry,
            clients=self._clients,
            heartbeat=self._heartbeat,
            jobs=jobs,
            clock=self._clock,
            judging=self._judging,
            deliver=lambda: jobs.put(DELIVER, ""),
            owner=this_process(),
            lease_s=LEASE_S,
        )
        self._jobs = jobs

    async def run(self, argument: str) -> None:
        """Look at what was pushed to `registry/repository`."""
        self._begin_to_beat()
        await self._begun.look(asked_repository(self._settings, argument))

    async def look_at_all(self, argument: str) -> None:
        """Look at all of `registry/repository`."""
        self._begin_to_beat()
        await self._begun.look_at_all(asked_repository(self._settings, argument))

    def desk(self, registry: RegistrySettings) -> PushDesk:
        """See `PushLooks`."""
        return self._begun.desk(registry)

    def tick(self) -> None:
        """Ask again for what waits, and show how much that is. Without a database
        there is nobody to ask; the next tick tries again."""
        with suppress(StoreError):
            have_due_what_is_ahead(self._database, self._clock())
            ring_for_pushes(self._settings, self._database, self._jobs, self._clock())
            show_inbox(self._database, self._telemetry)

    async def aclose(self) -> None:
        """On the loop of `run`."""
        if self._looks is not None:
            await self._looks.aclose()
        await self._clients.aclose()
        await asyncio.to_thread(self._writer.close)

    def _begin_to_beat(self) -> None:
        if self._beating is None:
            self._beating = asyncio.create_task(self._heartbeat.beat())

    @property
    def _begun(self) -> PushLooks:
        assert self._looks is not None, "begin comes first"  # noqa: S101
        return self._looks
