"""What is in Redis becomes a label only where we know it, and while it is known."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from weighbridge.bootstrap.distributed.service import (
    WorkerCollector,
    WorkerReport,
)
from weighbridge.jobs.redis.worker_register import UNKNOWN, QueueLength
from weighbridge.ports.job_names import CRAWL, QUEUES
from weighbridge.telemetry import Telemetry


@pytest.fixture
def metrics() -> WorkerCollector:
    return WorkerCollector(Telemetry())


def shown(metrics: WorkerCollector) -> str:
    registry = CollectorRegistry()
    registry.register(metrics)
    return generate_latest(registry).decode()


def test_broker_003_counts_of_strange_names_are_not_shown(
    metrics: WorkerCollector,
) -> None:
    counts = {
        ("taken", CRAWL, ""): 7,
        ("taken", "evil\ud800", ""): 1,
        ("taken", CRAWL, "evil"): 1,
        ("dropped", CRAWL, "outside_filter"): 2,
        ("dropped", CRAWL, "\udfff"): 1,
        ("dropped", UNKNOWN, "malformed_job"): 5,
        ("taken", UNKNOWN, ""): 9,
    }

    metrics.show(WorkerReport(counts=counts))

    text = shown(metrics)
    assert f'weighbridge_tasks_total{{task="{CRAWL}"}} 7.0' in text
    assert 'reason="outside_filter"' in text
    assert "evil" not in text
    assert 'dropped_total{reason="malformed_job",task="unknown"} 5.0' in text
    assert text.count("dropped_total{") == 2
    assert "9.0" not in text


def test_while_redis_is_away_nothing_is_said_of_workers_and_queues(
    metrics: WorkerCollector,
) -> None:
    waiting: dict[str, QueueLength] = {queue: QueueLength(1, 2.0) for queue in QUEUES}
    metrics.show(WorkerReport(2, waiting, {("taken", CRAWL, ""): 7}))
    before = shown(metrics)

    metrics.show_away()

    text = shown(metrics)
    assert "weighbridge_broker_up 1.0" in before
    assert "weighbridge_workers 2.0" in before
    assert "weighbridge_queue_tasks{" in before
    assert "weighbridge_broker_up 0.0" in text
    assert "weighbridge_workers" not in text
    assert "weighbridge_queue_" not in text
    # A counter that came back lower would be taken for a reset.
    assert f'weighbridge_tasks_total{{task="{CRAWL}"}} 7.0' in text


def test_before_redis_was_asked_nothing_is_said_of_it(metrics: WorkerCollector) -> None:
    assert "weighbridge_broker_up" not in shown(metrics)
