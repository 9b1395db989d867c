"""Without the extra `workers` one process works, and the others say what to install."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BLOCKED = """
import sys
for name in ("celery", "kombu", "billiard", "redis", "packaging", "psycopg"):
    sys.modules[name] = None
from weighbridge.cli.main import run
"""


def without_the_extra(folder: Path, code: str) -> "subprocess.CompletedProcess[str]":
    """Another process, in which none of these libraries can be imported."""
    return subprocess.run(
        [sys.executable, "-c", BLOCKED + code],
        env={
            "HOME": str(folder),
            "WEIGHBRIDGE_REDIS_URL": "redis://127.0.0.1:1/0",
            "PYTHONPATH": ":".join(filter(None, sys.path)),
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", ["worker", "scheduler", "serve"])
def test_what_is_missing_is_said_with_how_to_get_it(
    tmp_path: Path, command: str
) -> None:
    ended = without_the_extra(tmp_path, f"sys.exit(run([{command!r}]))")

    assert ended.returncode == 2
    assert "[missing_extra]" in ended.stderr
    assert "pip install 'weighbridge[workers]'" in ended.stderr


def test_up_loads_nothing_of_it(tmp_path: Path) -> None:
    ended = without_the_extra(tmp_path, "from weighbridge.cli import up, up_demo")

    assert (ended.returncode, ended.stderr) == (0, "")
