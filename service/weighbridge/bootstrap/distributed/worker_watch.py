"""Shows what other processes do, where this one only serves."""

from datetime import datetime
from typing import Final

import structlog

from weighbridge.beat import Beat
from weighbridge.bootstrap.distributed.broker_watch import BrokerWatch
from weighbridge.config import Settings
from weighbridge.engine.schedule.waiting_work import show_waiting
from weighbridge.errors import WeighbridgeError
from weighbridge.ports.job_names import TICK
from weighbridge.store.connection.deadlines import within
from weighbridge.store.leases.database_clock import DatabaseClock
from weighbridge.store.leases.jobs import Job, done_at
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

EVERY_S: Final = 5.0


class WorkerWatch:
    """Reads every few seconds when a scheduler last ticked, how many workers live,
    what waits for them and what they have counted, until closed. The database and
    Redis have a thread each: neither waits for the other. What the database does not
    tell keeps its value."""

    def __init__(
        self, settings: Settings, database: Database, telemetry: Telemetry
    ) -> None:
        self._database = database
        self._clock = DatabaseClock(database)
        self._telemetry = telemetry
        self._failure = ""
        self._log = structlog.get_logger("weighbridge.scheduler")
        self._beat = Beat("weighbridge-tick-watch", self._look_at_database)
        url = settings.redis_url
        self._broker = None if url is None else BrokerWatch(url, settings, telemetry)

    def broker_away_since(self) -> datetime | None:
        """Since when Redis does not answer; None where it does, or there is none."""
        return None if self._broker is None else self._broker.away_since

    def start(self) -> None:
        """Begin to read; returns at once."""
        self._beat.start()
        if self._broker is not None:
            self._broker.start()

    def close(self) -> None:
        """End the threads."""
        self._beat.close()
        if self._broker is not None:
            self._broker.close()

    def _look_at_database(self) -> float:
        failure = ""
        try:
            with within(EVERY_S):
                self._read_database()
        except WeighbridgeError as exc:
            failure = exc.code
        if failure and failure != self._failure:
            self._log.warning("the scheduler cannot be watched", code=failure)
        self._failure = failure
        return EVERY_S

    def _read_database(self) -> None:
        with self._database.read() as connection:
            ticked_at = done_at(connection, Job(TICK))
        if ticked_at is not None:
            gauge = self._telemetry.scheduler_last_tick_timestamp
            gauge.set(ticked_at.timestamp())
        show_waiting(self._database, self._telemetry, self._clock.now())
