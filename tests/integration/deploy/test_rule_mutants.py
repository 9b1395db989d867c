"""Whether the tests of the shipped rules notice a slip in any of their numbers."""

import re
from pathlib import Path
from typing import Final

import pytest
import yaml

from support.alert_rules import (
    ALERTS_FILE,
    PROMETHEUS,
    RECORDED,
    RULE_FILES,
    RULES_FILE,
    copy_rules,
    files_about,
    only_alerts,
    rules,
    run,
)
from support.rule_mutants import Mutant, mutants


def users() -> dict[str, list[str]]:
    """The alerts that are made of each recorded series, of what is made of it too."""
    parts = {
        str(rule["record"]): set(RECORDED.findall(str(rule["expr"])))
        for rule in rules(RULES_FILE)
    }
    found: dict[str, set[str]] = {series: set() for series in parts}
    for rule in rules(ALERTS_FILE):
        waiting = set(RECORDED.findall(str(rule["expr"])))
        while waiting:
            series = waiting.pop()
            found[series].add(str(rule["alert"]))
            waiting |= parts[series]
    return {series: sorted(alerts) for series, alerts in found.items()}


USERS: Final = users()
MUTANTS: Final = [
    each for name in RULE_FILES for each in mutants(PROMETHEUS / name, USERS)
]
ALERTS: Final = sorted({str(rule["alert"]) for rule in rules(ALERTS_FILE)})


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: each.name)
def test_another_number_fails_a_test(mutant: Mutant, tmp_path: Path) -> None:
    copy_rules(tmp_path)
    (tmp_path / ALERTS_FILE).write_text(only_alerts(mutant.alerts), encoding="utf-8")
    (tmp_path / mutant.file).write_text(mutant.text, encoding="utf-8")
    tests = files_about([*mutant.alerts, mutant.rule])

    done = run("promtool", "test", "rules", *tests, folder=tmp_path)

    assert done.returncode == 1, "no test has noticed"
    # Another result, or no result at all: the rule could be loaded either way.
    said = done.stdout + done.stderr
    assert re.search(r"exp:|rule: \w+, time: ", said), said


@pytest.mark.parametrize("alert", ALERTS)
def test_a_copy_of_the_same_numbers_passes_where_a_mutant_is_to_fail(
    alert: str, tmp_path: Path
) -> None:
    copy_rules(tmp_path)
    whole = yaml.safe_load((tmp_path / RULES_FILE).read_text("utf-8"))
    (tmp_path / RULES_FILE).write_text(yaml.safe_dump(whole, sort_keys=False), "utf-8")
    (tmp_path / ALERTS_FILE).write_text(only_alerts((alert,)), encoding="utf-8")
    tests = files_about([alert])

    done = run("promtool", "test", "rules", *tests, folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_number_of_every_alert_is_changed() -> None:
    changed = {alert for mutant in MUTANTS for alert in mutant.alerts}
    durations = sum("for" in rule for rule in rules(ALERTS_FILE))

    assert changed == set(ALERTS)
    assert sum(": no for" in mutant.name for mutant in MUTANTS) == durations


def test_ranges_exponents_and_days_are_numbers_too() -> None:
    told = {mutant.name.partition(": ")[2] for mutant in MUTANTS}

    assert {"7d to 8d", "7d to 6d", "30m to 29m", "5m to 6m"} <= told
    assert {"100e9 to 101e9", "100e9 to 99e9", "86400 to 86399"} <= told
    assert {"for 1d to 1435m", "for 6h to 365m", "keep_firing_for 1h to 65m"} <= told
