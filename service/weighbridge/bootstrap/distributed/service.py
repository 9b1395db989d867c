"""What a service does where workers do the work: it shows what these do, enqueues
pushes and crawls that are asked for, and keeps their pace when it probes a registry.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Final

import structlog

from weighbridge.beat import Beat
from weighbridge.bootstrap.distributed.worker_metrics import (
    CrawlMetrics,
    WorkerCollector,
    WorkerReport,
)
from weighbridge.bootstrap.registries.clients import RateLimiters
from weighbridge.bootstrap.registries.probing import Paces, alone
from weighbridge.config import Settings
from weighbridge.domain.text.printable import Secret
from weighbridge.engine.schedule.tick_job import show_waiting
from weighbridge.errors import WeighbridgeError
from weighbridge.jobs.pacing.shared_pacing import SharedPaces
from weighbridge.jobs.redis.over_celery import CeleryJobs, EnqueueThread
from weighbridge.jobs.redis.worker_register import Totals, WorkerRegister
from weighbridge.ports.job_names import TICK
from weighbridge.ports.protocols import JobQueue
from weighbridge.store.connection.deadlines import within
from weighbridge.store.leases.jobs import Job, done_at
from weighbridge.store.leases.validity import DatabaseClock
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


def _utc_now() -> datetime:
    return datetime.now(UTC)


class BrokerWatch:
    """Reads Redis every few seconds, on a thread of its own, until closed.

    away_since: since when it does not answer; None where it does
    """

    def __init__(
        self,
        redis_url: Secret,
        settings: Settings,
        telemetry: Telemetry,
        *,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.away_since: datetime | None = None
        self._now = now
        self._register = WorkerRegister(redis_url)
        self._totals = Totals(redis_url)
        self._crew = WorkerCollector(telemetry)
        channels = [channel.name for channel in settings.channels]
        self._crawls = CrawlMetrics(telemetry, settings.names, channels)
        self._log = structlog.get_logger("weighbridge.scheduler")
        self._beat = Beat("weighbridge-broker-watch", self.look)

    def start(self) -> None:
        """Begin to read; returns at once."""
        self._beat.start()

    def close(self) -> None:
        """End the thread and close every connection."""
        self._beat.close()
        self._register.close()
        self._totals.close()

    def look(self) -> float:
        """Read it once; the seconds until the next time."""
        register = self._register
        try:
            report = WorkerReport(
                register.workers(), register.waiting(), register.counts()
            )
            numbers = self._totals.read()
        except OSError:
            self._crew.show_away()
            if self.away_since is None:
                self.away_since = self._now()
                self._log.warning("workers cannot be watched", code="redis_unavailable")
        else:
            self.away_since = None
            self._crew.show(report)
            self._crawls.numbers = numbers
        return EVERY_S


@contextmanager
def service_enqueuer(settings: Settings) -> Iterator[JobQueue | None]:
    """A queue that never waits for Redis, while the block runs; None where there is no
    Redis."""
    if settings.redis_url is None:
        yield None
        return
    jobs = CeleryJobs(settings.redis_url)
    enqueuer = EnqueueThread(jobs)
    enqueuer.start()
    try:
        yield enqueuer
    finally:
        enqueuer.close()
        jobs.close()


def probe_paces(settings: Settings) -> Paces:
    """What `Probes` asks for before each probe: they are a minute apart, so that no
    connection is kept for them."""
    url = settings.redis_url
    return alone if url is None else lambda: _shared(url)


@asynccontextmanager
async def _shared(redis_url: Secret) -> AsyncIterator[RateLimiters | None]:
    paces = SharedPaces(redis_url)
    try:
        yield RateLimiters(paces.of)
    finally:
        await paces.aclose()
