"""Shows what other processes do, where this one only serves."""

from dataclasses import dataclass
from typing import Final

import structlog

from weighbridge.beat import Beat
from weighbridge.bootstrap.distributed.crawl_metrics import CrawlMetrics
from weighbridge.bootstrap.distributed.crew_metrics import CrewMetrics, CrewReport
from weighbridge.bootstrap.waiting_pushes import show_inbox
from weighbridge.config import Settings
from weighbridge.errors import WeighbridgeError
from weighbridge.jobs.names import TICK
from weighbridge.jobs.roll import Roll
from weighbridge.jobs.totals import Totals
from weighbridge.store.deadlines import within
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
    what waits for them and what they have counted, until closed. What cannot be read
    keeps its value.

    Two threads: neither the database nor Redis is waited for by what the other knows.
    """

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
        self._failures: dict[str, str] = {}
        self._log = structlog.get_logger("weighbridge.scheduler")
        self._beats = (
            Beat("weighbridge-tick-watch", self._look_at_database),
            Beat("weighbridge-crew-watch", self._look_at_redis),
        )

    def start(self) -> None:
        """Begin to read; returns at once."""
        for beat in self._beats:
            beat.start()

    def close(self) -> None:
        """End the threads."""
        for beat in self._beats:
            beat.close()
        if self._redis is not None:
            self._redis.close()

    def _look_at_database(self) -> float:
        failure = ""
        try:
            with within(EVERY_S):
                self._read_database()
        except WeighbridgeError as exc:
            failure = exc.code
        self._tell("database", failure)
        return EVERY_S

    def _read_database(self) -> None:
        with self._database.read() as connection:
            ticked_at = done_at(connection, Job(TICK))
        if ticked_at is not None:
            gauge = self._telemetry.scheduler_last_tick_timestamp
            gauge.set(ticked_at.timestamp())
        show_inbox(self._database, self._telemetry)

    def _look_at_redis(self) -> float:
        failure = ""
        try:
            if self._redis is not None:
                self._redis.look()
        except OSError:
            failure = "redis_unavailable"
        self._tell("redis", failure)
        return EVERY_S

    def _tell(self, where: str, failure: str) -> None:
        if failure and failure != self._failures.get(where):
            self._log.warning("workers cannot be watched", code=failure)
        self._failures[where] = failure
