"""What the figures depend on: cores, memory, versions."""

import os
import platform
import re
import sqlite3
import subprocess
from pathlib import Path
from typing import Final

from weighbridge import __version__

_PROGRAMS: Final = (
    ("docker-registry", "--version", r"(\d+\.\d+\.\d+)"),
    ("skopeo", "--version", r"version (\S+)"),
    ("wrk", "--version", r"wrk \S*?(\d+\.\d+\.\d+)"),
)


def machine_facts() -> dict[str, str]:
    """Facts by name, in the order in which they are told."""
    facts = {
        "weighbridge": __version__,
        "cores": f"{os.cpu_count()} ({_processor()})",
        "memory": f"{_memory_bytes() / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
    }
    return facts | {name: _version(name, flag, p) for name, flag, p in _PROGRAMS}


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _version(program: str, flag: str, pattern: str) -> str:
    try:
        done = subprocess.run([program, flag], capture_output=True, text=True)
    except FileNotFoundError:
        return "not installed"
    found = re.search(pattern, done.stdout + done.stderr)
    return found[1] if found else "unknown"
