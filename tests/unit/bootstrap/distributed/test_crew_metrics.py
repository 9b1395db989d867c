"""What is in Redis becomes a label only where we know it."""

from prometheus_client import CollectorRegistry, generate_latest

from weighbridge.bootstrap.distributed.crew_metrics import CrewMetrics, CrewReport
from weighbridge.jobs.names import CRAWL
from weighbridge.jobs.roll import UNKNOWN


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
            ("dropped", UNKNOWN, "malformed_job"): 5,
            ("taken", UNKNOWN, ""): 9,
        }
    )

    text = generate_latest(registry).decode()
    assert f'weighbridge_tasks_total{{task="{CRAWL}"}} 7.0' in text
    assert 'reason="outside_filter"' in text
    assert "evil" not in text
    assert 'dropped_total{reason="malformed_job",task="unknown"} 5.0' in text
    assert text.count("dropped_total{") == 2
    assert "9.0" not in text
