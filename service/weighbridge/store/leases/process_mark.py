"""Names this process so that another one can tell whether it still runs.

A lease protects against a process that is thought dead and is not. Where both are on
one machine nobody has to guess: a crawl that was killed is taken up again at once,
and not after its lease has run out.
"""

import os
import secrets
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_START: Final = 19
"""Place of the start time among the fields after the name, see proc_pid_stat(5)."""


def this_process() -> str:
    """`boot.namespace.pid.start`; empty where /proc does not tell."""
    start = _started(os.getpid())
    where = _where()
    return f"{where}.{os.getpid()}.{start}" if where and start else ""


def one_claim(process: str) -> str:
    """A process's mark with what tells one claim of it from every other, so that
    whoever does not know whether a claim was kept may make it again."""
    return f"{process}/{secrets.token_hex(4)}"


def has_ended(mark: str | None) -> bool:
    """Whether the process of a mark is known to have ended. False where that cannot
    be known: it ran on another machine, in another container, or before a restart."""
    process = (mark or "").partition("/")[0]
    where, _, rest = process.partition(".")
    pid, _, start = rest.partition(".")
    if not where or where != _where() or not pid.isdecimal():
        return False
    return _started(int(pid)) != start


def pid_of(mark: str) -> tuple[str, bool]:
    """The process's number of a mark, "" for none, and whether it counts here: on this
    machine, since its last boot, and in this container."""
    process = mark.partition("/")[0]
    where, _, rest = process.partition(".")
    return rest.partition(".")[0], bool(where) and where == _where()


def _where() -> str:
    """This boot of this machine, and the namespace in which its pids count."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink(_PROC / "self/ns/pid")
    except OSError:
        return ""
    return f"{boot}:{namespace.removeprefix('pid:').strip('[]')}"


def _started(pid: int) -> str:
    """When a process began, in clock ticks since boot; empty if it has ended."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return ""
    # The name in brackets may hold anything, brackets too.
    fields = stat.rpartition(")")[2].split()
    is_zombie = fields[0] == "Z"
    return "" if is_zombie else fields[_START]
