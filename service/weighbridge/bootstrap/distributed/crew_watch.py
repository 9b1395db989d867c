"""Shows what other processes do, where this one only serves."""

from dataclasses import dataclass
from typing import Final

import structlog

from weighbridge.beat import Beat
from weighbridge.bootstrap.distributed.crawl_metrics import CrawlMetrics
from weighbridge.bootstrap.distributed.crew_metrics import CrewMetrics, CrewReport
from weighbridge.config import Settings
from weighbridge.engine.waiting_pushes import show_inbox
from weighbridge.errors import WeighbridgeError
from weighbridge.jobs.names import TICK
from weighbridge.jobs.roll import Roll
from weighbridge.jobs.totals import Totals
from weighbridge.store.jobs import Job, done_at
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

EVERY_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Redis:
    """What is read from Redis, and where it is shown."""

    roll: Roll
    totals: Totals
    crew: CrewMetrics
    crawls: CrawlMetrics

    def look(self) -> None:
        """Raises OSError."""
        roll = self.roll
        self.crew.report = CrewReport(roll.workers(), roll.waiting(), roll.counts())
        self.crawls.numbers = self.totals.read()

    def close(self) -> None:
        self.roll.close()
        self.totals.close()


class CrewWatch:
    """Reads every few seconds when a scheduler last ticked, how many workers live,
    what waits for them and what they have counted; a thread until closed. What cannot
    be read keeps its value."""

    def __init__(
        self, settings: Settings, database: Database, telemetry: Telemetry
    ) -> None:
        self._database = database
        self._telemetry = telemetry
        self._redis: _Redis | None = None
        if settings.redis_url is not None:
            crew = CrewMetrics()
            telemetry.registry.register(crew)
            self._redis = _Redis(
                Roll(settings.redis_url),
                Totals(settings.redis_url),
                crew,
                CrawlMetrics(
                    telemetry,
                    settings.names,
                    [channel.name for channel in settings.channels],
                ),
            )
        self._failure = ""
        self._log = structlog.get_logger("weighbridge.scheduler")
        self._beat = Beat("weighbridge-crew-watch", self._step)

    def start(self) -> None:
        """Begin to read; returns at once."""
        self._beat.start()

    def close(self) -> None:
        """End the thread."""
        self._beat.close()
        if self._redis is not None:
            self._redis.close()

    def _step(self) -> float:
        failure = ""
        try:
            with self._database.read() as connection:
                ticked_at = done_at(connection, Job(TICK))
            if ticked_at is not None:
                gauge = self._telemetry.scheduler_last_tick_timestamp
                gauge.set(ticked_at.timestamp())
            show_inbox(self._database, self._telemetry)
        except WeighbridgeError as exc:
            failure = exc.code
        try:
            if self._redis is not None:
                self._redis.look()
        except OSError:
            failure = "redis_unavailable"
        if failure and failure != self._failure:
            self._log.warning("workers cannot be watched", code=failure)
        self._failure = failure
        return EVERY_S
