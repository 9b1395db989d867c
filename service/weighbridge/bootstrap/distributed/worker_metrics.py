"""What workers and queues do, and what workers count of their crawls, as a service
shows it that crawls nothing.

Workers serve nothing themselves. What they count is summed up in Redis, where whoever
can write could write anything: shown is what has the name and the labels of a metric of
ours, and a registry or channel that is configured here.
"""

from collections.abc import Collection, Iterator, Mapping
from math import inf
from typing import Final, get_args

from msgspec import Struct, field
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from weighbridge.domain.report.inventory import SOURCES, RegistryState
from weighbridge.jobs.redis.worker_register import (
    DROPPED,
    FAILED,
    TAKEN,
    UNKNOWN,
    Numbers,
    QueueLength,
    Series,
)
from weighbridge.ports.job_names import QUEUE_OF
from weighbridge.registry.exchange.registry_request import Operation
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
_VALUES: Final[Mapping[str, Collection[str]]] = {
    "operation": get_args(Operation),
    "code": ("1xx", "2xx", "3xx", "4xx", "5xx", "401", "403", "404", "429"),
    "reason": (
        *("timeout", "connect", "tls", "http", "auth", "parse"),
        *get_args(RegistryState),
    ),
    "task": QUEUE_OF,
    "verdict": VERDICTS,
    "source": SOURCES,
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
        self._values = {
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
