"""The shipped rules with one number changed, each against the tests of its alerts."""

import re
from pathlib import Path
from typing import Final

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


ALL: Final = [
    each for name in RULE_FILES for each in mutants(PROMETHEUS / name, users())
]


def assert_noticed(mutant: Mutant, folder: Path) -> None:
    """That a test of the alerts which a mutant may change fails."""
    copy_rules(folder)
    (folder / ALERTS_FILE).write_text(only_alerts(mutant.alerts), encoding="utf-8")
    (folder / mutant.file).write_text(mutant.text, encoding="utf-8")
    tests = files_about([*mutant.alerts, mutant.rule])

    done = run("promtool", "test", "rules", *tests, folder=folder)

    assert done.returncode == 1, "no test has noticed"
    # Another result, or no result at all: the rule could be loaded either way.
    said = done.stdout + done.stderr
    assert re.search(r"exp:|rule: \w+, time: ", said), said
