"""The shipped rules: what promtool and amtool say to them, and what others rely on."""

import json
import re
from pathlib import Path
from typing import Final

from support.alert_rules import (
    DEPLOY,
    RECORDED,
    RULE_FILES,
    copy_rules,
    files_about,
    files_of_tests,
    rules,
    run,
)

ALERTS: Final = (
    "WeighbridgeImageOverLimit",
    "WeighbridgeImageSizeRegression",
    "WeighbridgeImageSizeCreep",
    "WeighbridgeRegistryStorageGrowing",
    "WeighbridgeReclaimableSpaceHigh",
    "WeighbridgeCrawlStale",
    "WeighbridgeRegistryUnreachable",
    "WeighbridgeRegistryErrorsHigh",
    "WeighbridgeRateLimitNearlySpent",
    "WeighbridgeMassDisappearance",
    "WeighbridgeDown",
    "WeighbridgeSchedulerSilent",
    "WeighbridgeBrokerUnreachable",
    "WeighbridgeNoWorkers",
    "WeighbridgeQueueStuck",
    "WeighbridgeDatabaseWriteErrors",
    "WeighbridgeConfigReloadFailed",
    "WeighbridgeCertificateExpires",
    "WeighbridgeSignInsRefused",
    "WeighbridgeSnapshotStale",
    "WeighbridgeMetricsTruncated",
    "WeighbridgePushAuditSlow",
    "WeighbridgeWebhooksRejected",
    "WeighbridgeNotificationsFailing",
)


def alerts() -> list[dict[str, object]]:
    return rules("weighbridge.alerts.yml")


def test_promtool_finds_nothing_to_say_about_the_rules() -> None:
    done = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_every_alert_does_what_its_tests_say() -> None:
    done = run("promtool", "test", "rules", *files_of_tests())

    assert done.returncode == 0, done.stdout + done.stderr


def test_with_an_address_of_ones_own_the_tests_still_hold(tmp_path: Path) -> None:
    copy_rules(tmp_path)
    page = (DEPLOY.parent / "docs/alerts.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^ +(sed -i .*)$", page, re.MULTILINE)
    run("sh", "-c", command, folder=tmp_path)

    # Each says it the same way: one shows that the tests want the new address too.
    (test,) = files_about(["WeighbridgeImageOverLimit"])
    done = run("promtool", "test", "rules", test, folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    texts = [path.read_text("utf-8") for path in tmp_path.rglob("*.yml")]
    assert not [text for text in texts if "example.org/weighbridge/docs" in text]
    for text in texts:
        assert text.count("runbook_url: ") == text.count(
            "wiki.example.com/weighbridge/r"
        )


def test_the_examples_can_be_loaded() -> None:
    checks = (
        ("promtool", "check", "config", "prometheus/prometheus.yml"),
        ("amtool", "check-config", "alertmanager/alertmanager.yml"),
    )

    for check in checks:
        done = run(*check, folder=DEPLOY)

        assert done.returncode == 0, done.stdout + done.stderr


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
