"""Who is told: the outbox is filled by judging, and emptied by the job DELIVER."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from weighbridge.bootstrap.engine.channels import open_channels
from weighbridge.config import Settings
from weighbridge.domain.message.grouping import NotificationEvent
from weighbridge.engine.deliver.all_channels import Deliverers
from weighbridge.engine.deliver.next_message import SendContext
from weighbridge.engine.deliver.resend_open import Resending
from weighbridge.engine.judge.judged_batch import Tell
from weighbridge.engine.writer.writer import Writer
from weighbridge.errors import WeighbridgeError
from weighbridge.store.leases.validity import this_process
from weighbridge.store.outbox.filling import put_notifications
from weighbridge.store.session import Connection, Database
from weighbridge.telemetry import Telemetry


def notice_planning(settings: Settings) -> Tell:
    """Writes down who is to be told, in the transaction of who judges."""
    routes = settings.message_routes

    def tell(
        connection: Connection,
        violation_ids: Sequence[int],
        event: NotificationEvent,
        now: datetime,
    ) -> None:
        put_notifications(connection, violation_ids, event, routes, now)

    return tell


class Delivering:
    """The job DELIVER of one process, with a writer of its own: a message waits for no
    crawl, and no crawl for a message.

    clock: the database's, where several processes share it
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        telemetry: Telemetry,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._clock = clock
        self._writer = Writer(
            database, on_failure=lambda _: telemetry.db_write_errors.inc()
        )
        self._deliverers: Deliverers | None = None
        self._running: asyncio.Task[None] | None = None
        self._is_woken = False
        for channel in settings.channels:
            telemetry.begin_channel(channel.name)

    async def run(self, _: str) -> None:
        """Have everything told that is due; returns before it is."""
        if self._deliverers is None:
            self._deliverers = self._make()
        await self._deliverers.wake()

    def wake(self) -> None:
        """`run` beside whoever asks: what was just found waits for no queue. If that
        fails it is due still, and the next tick asks. Two hundred who ask at once have
        it done twice."""
        self._is_woken = True
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run_while_woken())
            self._running.add_done_callback(self._end_run)

    async def _run_while_woken(self) -> None:
        while self._is_woken:
            self._is_woken = False
            await self.run("")

    def _end_run(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (exc := task.exception()) is not None:
            code = exc.code if isinstance(exc, WeighbridgeError) else "bug"
            structlog.get_logger("weighbridge.notify").error(
                "messages wait for the next tick", code=code, why=str(exc)
            )

    async def aclose(self) -> None:
        """On the loop of `run`: let what is on its way arrive, for a moment."""
        if self._running is not None:
            await asyncio.wait((self._running,))
        if self._deliverers is not None:
            await self._deliverers.aclose()
        await asyncio.to_thread(self._writer.close)

    def _make(self) -> Deliverers:
        settings = self._settings
        sending = SendContext(
            writer=self._writer,
            clock=self._clock,
            owner=this_process(),
            telemetry=self._telemetry,
            external_url=settings.web.external_url,
        )
        channels = open_channels(settings)
        return Deliverers(
            sending,
            channels.notifiers.values(),
            [
                Resending(
                    sending,
                    alertmanager,
                    [r for r in settings.alert_routes if r.channel == name],
                )
                for name, channel in channels.alertmanagers.items()
                for alertmanager in channel.each
            ],
        )
