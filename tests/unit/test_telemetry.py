"""The metrics of one process."""

import re

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from weighbridge.telemetry import Telemetry


def test_names_follow_one_pattern_and_have_no_created_series() -> None:
    telemetry = Telemetry()
    telemetry.begin_registry("hub")

    text = generate_latest(telemetry.registry).decode()

    names = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    assert len(names) > 15
    assert all(name.startswith("weighbridge_") for name in names)
    assert "_created" not in text


def test_counters_of_a_registry_begin_at_zero() -> None:
    telemetry = Telemetry()

    telemetry.begin_registry("hub")

    for name in (
        "weighbridge_registry_response_bytes_total",
        "weighbridge_registry_throttled_seconds_total",
        "weighbridge_integrity_errors_total",
        "weighbridge_crawl_runs_total",
        "weighbridge_registry_desync_total",
    ):
        value = telemetry.registry.get_sample_value(name, {"registry": "hub"})
        assert value == 0.0, name


@pytest.mark.parametrize("reason", ["unauthorized", "unreachable", "error"])
def test_no_crawl_has_failed_at_first(reason: str) -> None:
    telemetry = Telemetry()

    telemetry.begin_registry("hub")

    name, labels = "weighbridge_crawl_failures_total", {"registry": "hub"}
    value = telemetry.registry.get_sample_value(name, labels | {"reason": reason})
    assert value == 0.0


def test_each_telemetry_counts_for_itself() -> None:
    one, other = Telemetry(), Telemetry(CollectorRegistry())

    one.crawl_runs.labels("hub").inc()

    name, labels = "weighbridge_crawl_runs_total", {"registry": "hub"}
    assert one.registry.get_sample_value(name, labels) == 1.0
    assert other.registry.get_sample_value(name, labels) is None
