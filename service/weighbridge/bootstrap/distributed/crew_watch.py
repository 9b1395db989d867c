"""Shows what other processes do, where this one only serves."""

import threading
from typing import Final

import structlog

from weighbridge.bootstrap.distributed.crew_metrics import CrewMetrics, CrewReport
from weighbridge.config import Settings
from weighbridge.domain.secret import Secret
from weighbridge.errors import WeighbridgeError
from weighbridge.jobs.names import TICK
from weighbridge.jobs.roll import Roll
from weighbridge.store.jobs import Job, done_at
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

EVERY_S: Final = 10.0


class CrewWatch:
    """Reads every few seconds when a scheduler last ticked, how many workers live and
    what waits for them; a thread until closed. What cannot be read keeps its value."""

    def __init__(
        self, settings: Settings, database: Database, telemetry: Telemetry
    ) -> None:
        self._database = database
        self._telemetry = telemetry
        self._metrics = CrewMetrics()
        if settings.redis_url is not None:
            telemetry.registry.register(self._metrics)
        self._url: Secret | None = settings.redis_url
        self._closed = threading.Event()
        self._log = structlog.get_logger("weighbridge.scheduler")
        self._failure = ""
        self._thread = threading.Thread(
            target=self._run, name="weighbridge-crew-watch", daemon=True
        )

    def start(self) -> None:
        """Begin to read; returns at once."""
        self._thread.start()

    def close(self, timeout_s: float = 5.0) -> None:
        """End the thread."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        roll = None if self._url is None else Roll(self._url)
        try:
            while True:
                self._look(roll)
                if self._closed.wait(EVERY_S):
                    return
        finally:
            if roll is not None:
                roll.close()

    def _look(self, roll: Roll | None) -> None:
        failure = ""
        try:
            with self._database.read() as connection:
                ticked_at = done_at(connection, Job(TICK))
            if ticked_at is not None:
                gauge = self._telemetry.scheduler_last_tick_timestamp
                gauge.set(ticked_at.timestamp())
            if roll is not None:
                self._metrics.report = CrewReport(
                    roll.workers(), roll.waiting(), roll.counts()
                )
        except WeighbridgeError as exc:
            failure = exc.code
        except OSError:
            failure = "redis_unavailable"
        if failure and failure != self._failure:
            self._log.warning("workers cannot be watched", code=failure)
        self._failure = failure
