"""Prometheus' own linter; skips where it is not installed, but not in CI."""

import shutil
import subprocess

from support.missing import skip_or_fail


def promtool(exposition: bytes) -> str:
    """What `promtool check metrics` complains about, "" for nothing."""
    program = shutil.which("promtool")
    if program is None:
        skip_or_fail("promtool is not installed: run scripts/servers")
    done = subprocess.run(
        [program, "check", "metrics"],
        input=exposition,
        capture_output=True,
        timeout=60,
        check=False,
    )
    said = (done.stdout + done.stderr).decode()
    return said or (f"exit code {done.returncode}" if done.returncode else "")
