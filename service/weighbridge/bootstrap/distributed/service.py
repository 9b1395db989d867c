"""What a service does where workers do the work: it shows what these do, enqueues
pushes and crawls that are asked for, and keeps their pace when it probes a registry.

Workers serve nothing themselves. What they count is summed up in Redis, where whoever
can write could write anything: shown is what has the name and the labels of a metric of
ours, and a registry or channel that is configured here.
"""

from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Container,
    Iterator,
    Mapping,
)
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from math import inf
from typing import Final, get_args

import structlog
from msgspec import Struct, field
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from weighbridge.beat import Beat
from weighbridge.bootstrap.registries.clients import RateLimiters
from weighbridge.bootstrap.registries.probing import Paces, alone
from weighbridge.config import Settings
from weighbridge.domain.image.reference import is_repository_name
from weighbridge.domain.report.inventory import SOURCES, RegistryState
from weighbridge.domain.text.printable import Secret
from weighbridge.engine.schedule.tick_job import show_waiting
from weighbridge.errors import WeighbridgeError
from weighbridge.jobs.pacing.shared_pacing import SharedPaces
from weighbridge.jobs.redis.over_celery import CeleryJobs, EnqueueThread
from weighbridge.jobs.redis.worker_register import (
    DROPPED,
    FAILED,
    MOST,
    TAKEN,
    UNKNOWN,
    Numbers,
    QueueLength,
    Series,
    Totals,
    WorkerRegister,
)
from weighbridge.ports.job_names import QUEUE_OF, TICK
from weighbridge.ports.protocols import JobQueue
from weighbridge.registry.exchange.registry_request import Operation
from weighbridge.store.connection.deadlines import within
from weighbridge.store.leases.jobs import Job, done_at
from weighbridge.store.leases.validity import DatabaseClock
from weighbridge.store.session import Database
from weighbridge.telemetry import (
    IMAGE_BUCKETS,
    PUSH_BUCKETS,
    REQUEST_BUCKETS,
    TASK_BUCKETS,
    VERDICTS,
    Telemetry,
)

_REASONS: Final = frozenset({"unknown_registry", "outside_filter", "malformed_job"})


class WorkerReport(Struct, frozen=True):
    """What Redis says of all workers.

    counts: by what is counted, the job, and a reason or ""
    """

    workers: int = 0
    waiting: Mapping[str, QueueLength] = field(default_factory=dict)
    counts: Mapping[tuple[str, str, str], int] = field(default_factory=dict)


class WorkerCollector(Collector):
    """Shows the last report. While Redis does not answer nothing is known of workers
    and queues, and their series are absent; what was counted stays.

    telemetry: of this process, which does no tasks: the workers' stand in for its own
    broker_up: None until Redis was asked
    """

    def __init__(self, telemetry: Telemetry) -> None:
        for own in (telemetry.tasks, telemetry.task_failures):
            telemetry.registry.unregister(own)
        telemetry.registry.register(self)
        self.broker_up: bool | None = None
        self._report: WorkerReport | None = None
        self._counts: Mapping[tuple[str, str, str], int] = {}

    def show(self, report: WorkerReport) -> None:
        """Redis has answered."""
        self.broker_up, self._report = True, report
        self._counts = report.counts

    def show_away(self) -> None:
        """Redis has not answered."""
        self.broker_up, self._report = False, None

    def collect(self) -> Iterator[Metric]:
        """See `prometheus_client`."""
        broker_up, report = self.broker_up, self._report
        if broker_up is not None:
            yield GaugeMetricFamily(
                "weighbridge_broker_up",
                "1 where Redis answers, 0 where it does not.",
                value=int(broker_up),
            )
        if report is not None:
            yield from self._gauges(report)
        yield from self._counters()

    def _gauges(self, report: WorkerReport) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "weighbridge_workers",
            "Workers that have reported within the last 45 seconds.",
            value=report.workers,
        )
        tasks = GaugeMetricFamily(
            "weighbridge_queue_tasks",
            "Messages that wait for a worker.",
            None,
            ["queue"],
        )
        oldest = GaugeMetricFamily(
            "weighbridge_queue_oldest_task_timestamp_seconds",
            "When the message was sent that waits longest; 0 where none waits.",
            None,
            ["queue"],
        )
        for queue, waiting in report.waiting.items():
            tasks.add_metric([queue], waiting.tasks)
            oldest.add_metric([queue], waiting.oldest_at)
        yield from (tasks, oldest)

    def _counters(self) -> Iterator[Metric]:
        taken = CounterMetricFamily(
            "weighbridge_tasks",
            "Messages that workers have taken, whatever their result.",
            None,
            ["task"],
        )
        failed = CounterMetricFamily(
            "weighbridge_task_failures",
            "Of these, the ones that ended with an error.",
            None,
            ["task"],
        )
        dropped = CounterMetricFamily(
            "weighbridge_tasks_dropped",
            "Messages that asked for what is not configured, or are not ours.",
            None,
            ["task", "reason"],
        )
        for (what, job, reason), count in sorted(self._counts.items()):
            if job not in QUEUE_OF and (what, job) != (DROPPED, UNKNOWN):
                continue
            if what == TAKEN and not reason:
                taken.add_metric([job], count)
            elif what == FAILED and not reason:
                failed.add_metric([job], count)
            elif what == DROPPED and reason in _REASONS:
                dropped.add_metric([job, reason], count)
        yield from (taken, failed, dropped)


_BUCKETS: Final = tuple(
    floatToGoString(bucket)  # type: ignore[no-untyped-call]  # has no types
    for bucket in sorted(
        {*REQUEST_BUCKETS, *PUSH_BUCKETS, *IMAGE_BUCKETS, *TASK_BUCKETS, inf}
    )
)
"""In the order in which they have to be told."""


class _Projects(Container[str]):
    """Names that a project of a registry can have: which there are only that knows."""

    def __contains__(self, name: object) -> bool:
        return is_repository_name(f"{name}/a")


_VALUES: Final[Mapping[str, Container[str]]] = {
    "operation": get_args(Operation),
    "code": ("1xx", "2xx", "3xx", "4xx", "5xx", "401", "403", "404", "429"),
    "reason": (
        *("timeout", "connect", "tls", "http", "auth", "parse"),
        *get_args(RegistryState),
    ),
    "task": QUEUE_OF,
    "verdict": VERDICTS,
    "source": SOURCES,
    "project": _Projects(),
    "le": _BUCKETS,
}
_PARTS: Final = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}


class CrawlMetrics(Collector):
    """Stands in for this process's own metrics of crawls, which would stay at 0."""

    def __init__(
        self,
        telemetry: Telemetry,
        registries: Collection[str],
        channels: Collection[str] = (),
    ) -> None:
        self.numbers = Numbers()
        self._values: Mapping[str, Container[str]] = {
            **_VALUES,
            "registry": frozenset(registries),
            "channel": frozenset(channels),
        }
        self._families = [
            (family, frozenset(labels))
            for metric, labels in telemetry.of_crawls.items()
            for family in metric.describe()
        ]
        for metric in telemetry.of_crawls:
            telemetry.registry.unregister(metric)
        telemetry.registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """See `prometheus_client`."""
        numbers = self.numbers
        told: dict[str, list[Series]] = {}
        for series in sorted((*numbers.counted, *numbers.seen), key=_order):
            told.setdefault(series.name, []).append(series)
        for family, labels in self._families:
            shown = Metric(family.name, family.documentation, family.type)
            found = numbers.seen if family.type == "gauge" else numbers.counted
            for part in _PARTS.get(family.type, ("",)):
                name = f"{family.name}{part}"
                wanted = labels | {"le"} if part == "_bucket" else labels
                for series in told.get(name, ()):
                    if series in found and self._is_ours(series, wanted):
                        shown.add_sample(name, dict(series.labels), found[series])
            yield shown

    def _is_ours(self, series: Series, wanted: frozenset[str]) -> bool:
        """Prometheus refuses a scrape that has the same labels twice, so that their
        order counts too."""
        values = dict(series.labels)
        if values.keys() != wanted or series.labels != tuple(sorted(values.items())):
            return False
        return all(value in self._values[label] for label, value in values.items())


def _order(series: Series) -> tuple[object, ...]:
    values = dict(series.labels)
    bucket = values.pop("le", "")
    place = _BUCKETS.index(bucket) if bucket in _BUCKETS else 0
    return (series.name, sorted(values.items()), place)


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
        self._left_out: tuple[str, ...] = ()
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
            if numbers.left_out != self._left_out and numbers.left_out:
                self._log.warning(
                    "Redis holds more numbers of workers than are shown",
                    code="too_many_numbers",
                    keys=numbers.left_out,
                    most=MOST,
                )
            self._left_out = numbers.left_out
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
