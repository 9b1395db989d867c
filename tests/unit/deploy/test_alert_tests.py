"""The tests of each alert have the cases that a rule is trusted for."""

import re
from collections.abc import Iterator
from typing import Final

import pytest
import yaml

from support.alert_rules import ALERTS_FILE, TESTS, rules

ALERTS: Final = sorted({str(rule["alert"]) for rule in rules(ALERTS_FILE)})
_INSTANCE: Final = re.compile(r'instance="\w+",?')


def cases_of(alert: str) -> list[dict[str, object]]:
    text = (TESTS / f"{alert}.yml").read_text(encoding="utf-8")
    tests = yaml.safe_load(text)["tests"]
    assert isinstance(tests, list)
    return tests


def story(test: dict[str, object], alert: str) -> Iterator[bool]:
    """Whether the alert fires, at each moment that is looked at, in their order."""
    looks = test.get("alert_rule_test", [])
    assert isinstance(looks, list)
    for look in sorted(looks, key=lambda look: minutes(look["eval_time"])):
        assert look["alertname"] == alert
        yield bool(look.get("exp_alerts"))


def minutes(duration: str) -> int:
    number, unit = int(duration[:-1]), duration[-1]
    return number * {"m": 1, "h": 60}[unit]


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_does_not_fire_yet_then_fires_and_resolves(alert: str) -> None:
    stories = [list(story(test, alert)) for test in cases_of(alert)]

    # Every moment is of one alert, so that no other one can stand in for it.
    assert [
        told for told in stories if True in told and not told[0] and not told[-1]
    ], stories


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_is_tried_with_two_processes(alert: str) -> None:
    pairs = [
        test["name"] for test in cases_of(alert) if is_of_two(test["input_series"])
    ]

    assert pairs


def is_of_two(series: object) -> bool:
    """Whether one series differs from another by the process alone."""
    assert isinstance(series, list)
    names = [_INSTANCE.sub("", each["series"]) for each in series]
    return len(set(names)) < len(names)


def test_no_test_is_of_an_alert_that_does_not_exist() -> None:
    named = {path.stem for path in TESTS.iterdir() if path.stem.startswith("Weigh")}

    assert named == set(ALERTS)
