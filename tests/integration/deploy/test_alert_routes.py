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


EXAMPLE: Final = DEPLOY / "alertmanager/alertmanager.yml"


def routes() -> list[dict[str, object]]:
    root = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))["route"]
    return [root, *root["routes"]]


def hours(duration: str) -> float:
    return int(duration[:-1]) * {"d": 24.0, "h": 1.0, "m": 1 / 60}[duration[-1]]


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


def test_nothing_is_muted_at_night() -> None:
    for route in routes():
        assert not route.keys() & {"active_time_intervals", "mute_time_intervals"}


def test_what_was_sent_is_repeated_while_alertmanager_still_knows_it() -> None:
    """By default it forgets a notification after 120 hours (`--data.retention`)."""
    repeats = [str(r["repeat_interval"]) for r in routes() if "repeat_interval" in r]

    assert len(repeats) > 3
    assert max(hours(each) for each in repeats) <= 120


def test_office_hours_can_be_had_by_removing_the_marks_of_comments() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    lines = text.splitlines()
    first = lines.index("# time_intervals:")
    asked = [
        line.replace("# ", "", 1)
        if first <= number < first + 6 or "# active_time" in line
        else line
        for number, line in enumerate(lines)
    ]

    whole = yaml.safe_load("\n".join(asked))

    assert [each["name"] for each in whole["time_intervals"]] == ["office-hours"]
    assert [
        route["matchers"]
        for route in whole["route"]["routes"]
        if "active_time_intervals" in route
    ] == [
        ['alertname=~"WeighbridgeImage.*"'],
        ['alertname=~"Weighbridge(RegistryStorage|Reclaimable).*"'],
    ]


def test_every_alert_that_is_named_exists() -> None:
    """A slip in a name would silence nothing, or everything."""
    text = EXAMPLE.read_text(encoding="utf-8")
    rows = yaml.safe_load(text)["inhibit_rules"]
    plain = [
        matcher.partition('="')[2].rstrip('"')
        for row in rows
        for matcher in (*row["source_matchers"], *row["target_matchers"])
        if matcher.startswith('alertname="')
    ]

    assert len(plain) > 4
    assert set(plain) <= SEVERITY.keys()
