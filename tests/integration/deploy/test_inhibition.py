"""Which alerts the example for Alertmanager keeps quiet while others fire."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from support.alert_rules import DEPLOY
from support.alerting import alertmanager_with
from support.serving import PLAIN
from support.wait import wait_in_thread

DOWN: Final = {"alertname": "WeighbridgeDown"}
STALE: Final = {"alertname": "WeighbridgeCrawlStale", "registry": "hub"}
UNREACHABLE: Final = {"alertname": "WeighbridgeRegistryUnreachable", "registry": "hub"}
IMAGE: Final = {"registry": "hub", "repository": "shop/api", "team": "shop"}
OVER: Final = {
    "alertname": "WeighbridgeImageOverLimit",
    "limit": "compressed",
    **IMAGE,
}
GROWN: Final = {"alertname": "WeighbridgeImageSizeRegression", **IMAGE}
CREPT: Final = {"alertname": "WeighbridgeImageSizeCreep", **IMAGE}
ERRORS: Final = {"alertname": "WeighbridgeRegistryErrorsHigh", "registry": "hub"}
SLOW: Final = {"alertname": "WeighbridgePushAuditSlow", "registry": "hub"}
SPENT: Final = {"alertname": "WeighbridgeRateLimitNearlySpent", "registry": "hub"}
SILENT: Final = {"alertname": "WeighbridgeSchedulerSilent"}
IDLE: Final = {"alertname": "WeighbridgeNoWorkers"}
STUCK: Final = {"alertname": "WeighbridgeQueueStuck", "queue": "crawl"}
UNKEPT: Final = {"alertname": "WeighbridgeDatabaseWriteErrors"}
OLD: Final = {"alertname": "WeighbridgeSnapshotStale"}
UNTOLD: Final = {"alertname": "WeighbridgeNotificationsFailing", "channel": "ops"}
PUSHED: Final = {"alertname": "WeighbridgeOversizedPush", **IMAGE}


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A fresh Alertmanager with the example."""
    example = (DEPLOY / "alertmanager/alertmanager.yml").read_text(encoding="utf-8")
    with alertmanager_with(tmp_path / "manager", example) as address:
        yield address


def name_of(labels: dict[str, str]) -> str:
    return f"{labels['alertname']} {labels.get('registry', '')}".strip()


def states(url: str) -> dict[str, str]:
    """Each alert's name and registry, with its state."""
    alerts = httpx.get(f"{url}/api/v2/alerts", trust_env=False, verify=PLAIN).json()
    return {name_of(alert["labels"]): alert["status"]["state"] for alert in alerts}


@pytest.mark.parametrize(
    ("firing", "quiet"),
    [
        ([DOWN, STALE, UNREACHABLE, OVER, GROWN], [STALE, UNREACHABLE, OVER, GROWN]),
        ([UNREACHABLE, STALE, {**STALE, "registry": "other"}], [STALE]),
        ([DOWN, SILENT, IDLE, OLD, UNTOLD, PUSHED], [SILENT, IDLE, OLD, UNTOLD]),
        ([UNREACHABLE, ERRORS, SLOW, SPENT], [ERRORS, SLOW, SPENT]),
        (
            [ERRORS, STALE, SLOW, SPENT, {**STALE, "registry": "other"}],
            [STALE, SLOW, SPENT],
        ),
        ([SILENT, STALE, UNTOLD], [STALE]),
        ([IDLE, STALE, STUCK, SLOW, OLD], [STALE, STUCK, SLOW]),
        ([UNKEPT, STALE, {**UNKEPT, "namespace": "other"}], [STALE]),
        ([OVER, GROWN, CREPT], [GROWN, CREPT]),
        ([GROWN, CREPT], [CREPT]),
        ([{**OVER, "registry": "other"}, GROWN], []),
        ([{**DOWN, "cluster": "other"}, {**UNREACHABLE, "cluster": "this"}], []),
        ([GROWN, STALE], []),
    ],
    ids=[
        "down",
        "unreachable",
        "down, and whatever is about the service itself",
        "unreachable, errors",
        "errors",
        "no scheduler",
        "no workers",
        "no database",
        "over",
        "grown",
        "another's limit",
        "another cluster",
        "nothing to do with it",
    ],
)
def test_what_follows_from_another_alert_is_quiet(
    url: str, firing: list[dict[str, str]], quiet: list[dict[str, str]]
) -> None:
    posted = [{"labels": labels} for labels in firing]
    expected = {
        name_of(labels): "suppressed" if labels in quiet else "active"
        for labels in firing
    }

    answer = httpx.post(
        f"{url}/api/v2/alerts", json=posted, trust_env=False, verify=PLAIN
    )

    assert answer.status_code == 200, answer.text
    wait_in_thread(
        lambda: states(url) == expected,
        f"{expected}",
        seen=lambda: states(url),
    )
