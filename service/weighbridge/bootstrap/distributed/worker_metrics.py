"""Metrics of workers and queues, as a service shows them that has workers.

Workers serve nothing themselves. What they count is summed up in Redis, where whoever
can write could write anything: only names that we know become labels.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct, field
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from weighbridge.jobs.redis.worker_register import (
    DROPPED,
    FAILED,
    TAKEN,
    UNKNOWN,
    QueueLength,
)
from weighbridge.ports.job_names import QUEUE_OF
from weighbridge.telemetry import Telemetry

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
