"""What is in Redis becomes a label only where we know it."""

from prometheus_client import CollectorRegistry, generate_latest

from weighbridge.bootstrap.distributed.crew_metrics import CrewMetrics, CrewReport
from weighbridge.jobs.names import CRAWL


def test_broker_003_counts_of_strange_names_are_not_shown() -> None:
    registry = CollectorRegistry()
    metrics = CrewMetrics()
    registry.register(metrics)

    metrics.report = CrewReport(
        counts={
            ("taken", CRAWL, ""): 7,
            ("taken", "evil\ud800", ""): 1,
            ("taken", CRAWL, "evil"): 1,
            ("dropped", CRAWL, "outside_filter"): 2,
            ("dropped", CRAWL, "\udfff"): 1,
        }
    )

    text = generate_latest(registry).decode()
    assert f'weighbridge_tasks_total{{task="{CRAWL}"}} 7.0' in text
    assert 'reason="outside_filter"' in text
    assert "evil" not in text
    assert text.count("dropped_total{") == 1
