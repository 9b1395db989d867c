"""Runs a program and says what it cost: wall clock, CPU, peak memory."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_KEPT: Final = ("PATH", "PYTHONPATH", "LANG", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a program that ended well.

    wall_s:     from its start to its end
    cpu_s:      user and system, with all children that it waited for
    peak_bytes: resident memory, of the largest process. Linux counts what this process
                had when it forked, too, so it has to stay the smaller one
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int
    output: bytes


def measured(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> Run:
    """Run to the end in `folder`; raises RuntimeError if it fails."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=folder,
            env=clean_environment(folder) | dict(environment or {}),
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode:
            said = err.read().decode(errors="replace")[-2000:]
            raise RuntimeError(f"{' '.join(command)[:200]} failed:\n{said}")
        cpu_s = usage.ru_utime + usage.ru_stime
        return Run(wall_s, cpu_s, usage.ru_maxrss * 1024, out.read())


def clean_environment(home: Path) -> dict[str, str]:
    """The environment without anything that configures us or a peer."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | {"HOME": str(home)}


def module(name: str, *arguments: str) -> list[str]:
    """The command that runs a module of this package."""
    return [sys.executable, "-m", f"load.bench.{name}", *arguments]


def weighbridge(*arguments: str) -> list[str]:
    """Our own command, of the environment that runs this."""
    return [str(Path(sys.executable).with_name("weighbridge")), *arguments]
