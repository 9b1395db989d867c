"""The shipped Prometheus and Alertmanager files, and the programs that judge them."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from support.missing import skip_or_fail

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
PROMETHEUS: Final = DEPLOY / "prometheus"
RULE_FILES: Final = ("weighbridge.rules.yml", "weighbridge.alerts.yml")
TESTS: Final = "weighbridge.tests.yml"


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
        timeout=60,
        cwd=folder,
        check=False,
    )


def copy_rules(folder: Path) -> None:
    """The rules and their tests, to be changed there."""
    for name in (*RULE_FILES, TESTS):
        shutil.copy(PROMETHEUS / name, folder)
