"""Whom the example for Alertmanager tells of each alert, and how often."""

from typing import Final

import pytest
import yaml

from support.alert_rules import ALERTS_FILE, DEPLOY, rules, run

OWNERS: Final = frozenset(
    {
        "WeighbridgeImageOverLimit",
        "WeighbridgeImageSizeRegression",
        "WeighbridgeImageSizeCreep",
        "WeighbridgeOversizedPush",
    }
)
NOBODY: Final = frozenset(
    {"WeighbridgeRateLimitNearlySpent", "WeighbridgeMetricsTruncated"}
)
SEVERITY: Final = {
    **{str(rule["alert"]): rule["labels"] for rule in rules(ALERTS_FILE)},
    "WeighbridgeOversizedPush": {"severity": "critical"},
}


def receiver_of(alert: str) -> str:
    if alert in OWNERS:
        return "image-owners"
    return "nobody" if alert in NOBODY else "platform"


@pytest.mark.parametrize("alert", sorted(SEVERITY))
def test_images_go_to_their_owners_and_the_rest_to_the_platform(alert: str) -> None:
    config = "--config.file=alertmanager/alertmanager.yml"
    told = SEVERITY[alert]
    assert isinstance(told, dict)
    labels = (f"alertname={alert}", f"severity={told['severity']}", "team=shop")

    done = run("amtool", "config", "routes", "test", config, *labels, folder=DEPLOY)

    assert done.stdout.strip() == receiver_of(alert)


def test_what_waits_for_office_hours_is_about_images_and_storage() -> None:
    text = (DEPLOY / "alertmanager/alertmanager.yml").read_text(encoding="utf-8")
    whole = yaml.safe_load(text)

    waiting = [
        route["matchers"]
        for route in whole["route"]["routes"]
        if "active_time_intervals" in route
    ]

    assert waiting == [
        ['alertname=~"WeighbridgeImage.*"'],
        ['alertname=~"Weighbridge(RegistryStorage|Reclaimable).*"'],
    ]


def test_every_alert_that_is_named_exists() -> None:
    """A slip in a name would silence nothing, or everything."""
    text = (DEPLOY / "alertmanager/alertmanager.yml").read_text(encoding="utf-8")
    rows = yaml.safe_load(text)["inhibit_rules"]
    plain = [
        matcher.partition('="')[2].rstrip('"')
        for row in rows
        for matcher in (*row["source_matchers"], *row["target_matchers"])
        if matcher.startswith('alertname="')
    ]

    assert len(plain) > 4
    assert set(plain) <= SEVERITY.keys()
