"""The shipped Prometheus and Alertmanager files, and the programs that judge them."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import yaml

from support.missing import skip_or_fail

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
PROMETHEUS: Final = DEPLOY / "prometheus"
RULE_FILES: Final = ("weighbridge.rules.yml", "weighbridge.alerts.yml")
RULES_FILE, ALERTS_FILE = RULE_FILES
TESTS: Final = PROMETHEUS / "tests"
"""What each alert does, for `promtool test rules`: one file each, named as it is."""


RECORDED: Final = re.compile(r"\bregistry(?:_repository)?:weighbridge_\w+:\w+")
"""The name of a recorded series."""


def rules(name: str) -> list[dict[str, object]]:
    """All rules of a shipped file."""
    document = yaml.safe_load((PROMETHEUS / name).read_text("utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def program(name: str, package: str | None = None) -> str:
    """The path of an installed program; skips without it, but fails in CI."""
    found = shutil.which(name)
    if found is None:
        skip_or_fail(f"{package or name} is not installed: run scripts/servers")
    return found


def run(*command: str, folder: Path = PROMETHEUS) -> subprocess.CompletedProcess[str]:
    """What a program says to the files in a folder."""
    first, *arguments = command
    return subprocess.run(
        [program(first), *arguments],
        capture_output=True,
        text=True,
        timeout=110,
        cwd=folder,
        # Its memory is collected less often: most of the time would go there.
        env=os.environ | {"GOGC": "400"},
        check=False,
    )


def copy_rules(folder: Path) -> None:
    """The rules and their tests, to be changed there."""
    for name in RULE_FILES:
        shutil.copy(PROMETHEUS / name, folder)
    shutil.copytree(TESTS, folder / TESTS.name)


@cache
def only_alerts(names: tuple[str, ...]) -> str:
    """The file of alerts with no others, with which promtool is faster."""
    document = yaml.safe_load((PROMETHEUS / ALERTS_FILE).read_text("utf-8"))
    for group in document["groups"]:
        group["rules"] = [rule for rule in group["rules"] if rule["alert"] in names]
    document["groups"] = [group for group in document["groups"] if group["rules"]]
    return str(yaml.safe_dump(document, sort_keys=False))


def files_about(names: Sequence[str]) -> list[str]:
    """The tests of alerts and of recorded series, of which many have none."""
    files = [f"{TESTS.name}/{name.replace(':', '-')}.yml" for name in names]
    return [file for file in files if (PROMETHEUS / file).exists()]


def files_of_tests(folder: Path = PROMETHEUS) -> list[str]:
    """All of them, as they are named from this folder."""
    return sorted(
        f"{TESTS.name}/{path.name}" for path in (folder / TESTS.name).iterdir()
    )
