"""The shipped rules: what promtool says, and whether their tests notice a slip."""

import json
import re
from pathlib import Path
from typing import Final

import pytest
import yaml

from support.alert_rules import DEPLOY, PROMETHEUS, RULE_FILES, TESTS, copy_rules, run
from support.rule_mutants import Mutant, mutants

ALERTS: Final = (
    "WeighbridgeImageOverLimit",
    "WeighbridgeImageSizeRegression",
    "WeighbridgeDown",
    "WeighbridgeCrawlStale",
    "WeighbridgeRegistryUnreachable",
)
RECORDED: Final = re.compile(r"\bregistry(?:_repository)?:weighbridge_\w+:\w+")


def rules(name: str) -> list[dict[str, object]]:
    document = yaml.safe_load((PROMETHEUS / name).read_text("utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, object]]:
    return rules("weighbridge.alerts.yml")


def users() -> dict[str, list[str]]:
    """The alerts that are made of each recorded series."""
    found: dict[str, list[str]] = {}
    for rule in alerts():
        for series in sorted(set(RECORDED.findall(str(rule["expr"])))):
            found.setdefault(series, []).append(str(rule["alert"]))
    return found


MUTANTS: Final = [
    each for name in RULE_FILES for each in mutants(PROMETHEUS / name, users())
]


def test_promtool_finds_nothing_to_say_about_the_rules() -> None:
    done = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_every_alert_does_what_its_tests_say() -> None:
    done = run("promtool", "test", "rules", TESTS)

    assert done.returncode == 0, done.stdout + done.stderr


def test_with_an_address_of_ones_own_the_tests_still_hold(tmp_path: Path) -> None:
    copy_rules(tmp_path)
    page = (DEPLOY.parent / "docs/alerts.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^ +(sed -i .*)$", page, re.MULTILINE)
    run("sh", "-c", command, folder=tmp_path)

    done = run("promtool", "test", "rules", TESTS, folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "wiki.example.com" in (tmp_path / RULE_FILES[1]).read_text("utf-8")


def test_the_examples_can_be_loaded() -> None:
    checks = (
        ("promtool", "check", "config", "prometheus/prometheus.yml"),
        ("amtool", "check-config", "alertmanager/alertmanager.yml"),
    )

    for check in checks:
        done = run(*check, folder=DEPLOY)

        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: each.name)
def test_another_number_fails_a_test(mutant: Mutant, tmp_path: Path) -> None:
    copy_rules(tmp_path)
    (tmp_path / mutant.file).write_text(mutant.text, encoding="utf-8")
    # An alert's tests begin with its name.
    only = f"^({'|'.join(mutant.alerts)}):"

    done = run("promtool", "test", "rules", "--run", only, TESTS, folder=tmp_path)

    assert done.returncode == 1, "no test has noticed"
    # Another result, or no result at all: the rule could be loaded either way.
    said = done.stdout + done.stderr
    assert re.search(r"exp:|rule: \w+, time: ", said), said


@pytest.mark.parametrize("alert", ALERTS)
def test_a_copy_of_the_same_numbers_passes_where_a_mutant_is_to_fail(
    alert: str, tmp_path: Path
) -> None:
    copy_rules(tmp_path)
    for name in RULE_FILES:
        whole = yaml.safe_load((tmp_path / name).read_text("utf-8"))
        (tmp_path / name).write_text(yaml.safe_dump(whole, sort_keys=False), "utf-8")
    only = ("--run", f"^{alert}:")

    done = run("promtool", "test", "rules", *only, TESTS, folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    tests = yaml.safe_load((PROMETHEUS / TESTS).read_text("utf-8"))["tests"]
    assert any(test["name"].startswith(f"{alert}:") for test in tests)


def test_every_number_of_every_alert_is_changed() -> None:
    changed = {alert for mutant in MUTANTS for alert in mutant.alerts}

    assert set(ALERTS) <= changed
    assert len(MUTANTS) > 35


def test_the_alerts_are_those_that_dashboards_and_routes_rely_on() -> None:
    assert {str(rule["alert"]) for rule in alerts()} == set(ALERTS)


def test_every_alert_says_how_grave_it_is_and_what_to_do() -> None:
    for rule in alerts():
        labels, annotations = rule["labels"], rule["annotations"]
        assert isinstance(labels, dict)
        assert isinstance(annotations, dict)
        assert labels["severity"] in ("critical", "warning", "info")
        assert annotations["summary"].endswith(".")
        assert "{{" not in annotations["summary"]
        assert annotations["runbook_url"].endswith(f"/docs/runbooks/{rule['alert']}.md")


def test_alerts_about_images_lead_to_their_repository_on_its_dashboard() -> None:
    text = (DEPLOY / "grafana/dashboards/weighbridge-repository.json").read_text()
    dashboard = json.loads(text)
    chosen = {each["name"] for each in dashboard["templating"]["list"]}

    for rule in alerts():
        annotations = rule["annotations"]
        assert isinstance(annotations, dict)
        is_of_image = str(rule["alert"]).startswith("WeighbridgeImage")
        assert ("dashboard_url" in annotations) is is_of_image
        if is_of_image:
            path, _, query = annotations["dashboard_url"].partition("?")
            assert path.endswith(f"/d/{dashboard['uid']}")
            assert set(re.findall(r"var-(\w+)=", query)) < chosen


def test_no_recorded_series_is_recorded_for_nobody() -> None:
    recorded = {str(rule["record"]) for rule in rules("weighbridge.rules.yml")}

    text = "\n".join(
        f"{rule['expr']}\n{rule.get('annotations', '')}"
        for name in RULE_FILES
        for rule in rules(name)
    )

    assert set(RECORDED.findall(text)) == recorded


ROUTES: Final = (
    ("WeighbridgeImageOverLimit", "image-owners"),
    ("WeighbridgeImageSizeRegression", "image-owners"),
    ("WeighbridgeDown", "platform"),
    ("WeighbridgeCrawlStale", "platform"),
    ("WeighbridgeRegistryUnreachable", "platform"),
)


@pytest.mark.parametrize(("alert", "receiver"), ROUTES)
def test_images_go_to_their_owners_and_the_rest_to_the_platform(
    alert: str, receiver: str
) -> None:
    config = "--config.file=alertmanager/alertmanager.yml"
    labels = (f"alertname={alert}", "severity=warning", "team=shop")

    done = run("amtool", "config", "routes", "test", config, *labels, folder=DEPLOY)

    assert done.stdout.strip() == receiver
