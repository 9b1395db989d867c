"""Whether the tests of the shipped rules notice a slip in one of their numbers: a
sample, one of every fourth rule. `make test-long` changes them all."""

from pathlib import Path
from typing import Final

import pytest
import yaml

from support.alert_rules import (
    ALERTS_FILE,
    RULES_FILE,
    copy_rules,
    files_about,
    only_alerts,
    rules,
    run,
)
from support.rule_mutants import Mutant
from support.shipped_mutants import ALL, assert_noticed

SAMPLE: Final = tuple({mutant.rule: mutant for mutant in ALL}.values())[::4]
ALERTS: Final = sorted({str(rule["alert"]) for rule in rules(ALERTS_FILE)})


@pytest.mark.parametrize("mutant", SAMPLE, ids=lambda each: each.name)
def test_another_number_fails_a_test(mutant: Mutant, tmp_path: Path) -> None:
    assert_noticed(mutant, tmp_path)


@pytest.mark.parametrize(
    "alert",
    [
        pytest.param(alert, marks=[] if n % 4 == 0 else pytest.mark.long)
        for n, alert in enumerate(ALERTS)
    ],
)
def test_a_copy_of_the_same_numbers_passes_where_a_mutant_is_to_fail(
    alert: str, tmp_path: Path
) -> None:
    copy_rules(tmp_path)
    whole = yaml.safe_load((tmp_path / RULES_FILE).read_text("utf-8"))
    (tmp_path / RULES_FILE).write_text(yaml.safe_dump(whole, sort_keys=False), "utf-8")
    (tmp_path / ALERTS_FILE).write_text(only_alerts((alert,)), encoding="utf-8")

    done = run("promtool", "test", "rules", *files_about([alert]), folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_number_of_every_alert_is_changed() -> None:
    changed = {alert for mutant in ALL for alert in mutant.alerts}
    durations = sum("for" in rule for rule in rules(ALERTS_FILE))

    assert changed == set(ALERTS)
    assert sum(": no for" in mutant.name for mutant in ALL) == durations
    assert len(ALL) > 130


def test_ranges_exponents_and_days_are_numbers_too() -> None:
    told = {mutant.name.partition(": ")[2] for mutant in ALL}

    assert {"7d to 8d", "7d to 6d", "30m to 29m", "5m to 6m"} <= told
    assert {"100e9 to 101e9", "100e9 to 99e9", "86400 to 86399"} <= told
    assert {"for 1d to 1435m", "for 6h to 365m", "keep_firing_for 1h to 65m"} <= told
