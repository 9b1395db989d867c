"""What the processes of one group have used so far, as the kernel counts it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_GROUP, _CPU, _THREADS, _RESIDENT = 2, slice(11, 15), 17, 21
"""Where they stand in /proc/PID/stat behind the name; see proc(5)."""


@dataclass(frozen=True, slots=True)
class ProcessNow:
    """One process.

    cpu_s: user and system, with the children that it has waited for
    """

    pid: int
    cpu_s: float
    resident_bytes: int
    threads: int
    descriptors: int


def group_members(group: int) -> list[ProcessNow]:
    """Those that run, by their number; a process that was started as the first of a
    session of its own names the group."""
    return [found for pid in _pids() if (found := _now(pid, group)) is not None]


def group_cpu_s(group: int) -> float:
    """Of all of them together; what ended without being waited for is not in it."""
    return sum(member.cpu_s for member in group_members(group))


def busy_share(before: tuple[float, float], after: tuple[float, float]) -> float:
    """Which part of all cores was busy between two `core_seconds`."""
    busy, whole = after[0] - before[0], after[1] - before[1]
    return busy / whole if whole else 0.0


def core_seconds() -> tuple[float, float]:
    """Busy seconds and all seconds of all cores since the machine started."""
    line = Path("/proc/stat").read_text().split("\n", 1)[0]
    ticks = [int(word) for word in line.split()[1:9]]
    idle = ticks[3] + ticks[4]
    return (sum(ticks) - idle) / _TICKS, sum(ticks) / _TICKS


def _pids() -> Iterator[int]:
    return iter(
        sorted(int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit())
    )


def _now(pid: int, group: int) -> ProcessNow | None:
    """None where it is of another group, or has ended meanwhile."""
    place = Path("/proc") / str(pid)
    try:
        words = (place / "stat").read_text().rpartition(")")[2].split()
        if int(words[_GROUP]) != group or words[0] == "Z":
            return None
        descriptors = len(list((place / "fd").iterdir()))
    except OSError:
        return None
    return ProcessNow(
        pid,
        sum(map(int, words[_CPU])) / _TICKS,
        int(words[_RESIDENT]) * _PAGE,
        int(words[_THREADS]),
        descriptors,
    )
