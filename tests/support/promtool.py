"""Prometheus' own linter; skips where it is not installed, but not in CI."""

import os
import shutil
import subprocess

import pytest


def promtool(exposition: bytes) -> str:
    """What `promtool check metrics` complains about, "" for nothing."""
    program = shutil.which("promtool")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("promtool is missing")
        pytest.skip("promtool is missing")
    done = subprocess.run(
        [program, "check", "metrics"],
        input=exposition,
        capture_output=True,
        timeout=60,
        check=False,
    )
    said = (done.stdout + done.stderr).decode()
    return said or (f"exit code {done.returncode}" if done.returncode else "")
