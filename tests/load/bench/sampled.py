"""Where a crawl spends its CPU: its threads are looked at every 2 ms of CPU time.

    python -m load.bench.sampled OUTPUT ARGUMENTS...

runs `weighbridge ARGUMENTS...` and writes the counts as JSON. Threads that wait (for
the network, a lock, work) are not counted, nor is start-up. A tracing profiler would
make every call of Python dearer and thereby lie about the shares.
"""

import json
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Final

from load.bench.measured import measured, module

_EVERY_S: Final = 0.002
_WAITING: Final = frozenset(
    {"select", "wait", "get", "_worker", "_wait_for_tstate_lock"}
)
_LEAST_PERCENT: Final = 1.0
_OURS: Final = "/weighbridge/"


def profile_of(command: Sequence[str], folder: Path) -> tuple[tuple[str, float], ...]:
    """The shares of one more run of a `weighbridge` command, largest first."""
    output = folder / "profile.json"
    measured(module("sampled", str(output), *command[1:]), folder)
    counts = Counter[str](json.loads(output.read_text()))
    whole = counts.total()
    return tuple(
        (place, round(100 * count / whole, 1))
        for place, count in counts.most_common()
        if 100 * count / whole >= _LEAST_PERCENT
    )


class Sampler:
    """Counts where the busy threads are."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def start(self) -> None:
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, _EVERY_S, _EVERY_S)

    def end(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _look(self, _: int, here: FrameType | None) -> None:
        """A handler runs in the main thread, whose frame is the interrupted one."""
        if not _is_in_event_loop(here):
            return
        own = sys._getframe()
        others = (f for f in sys._current_frames().values() if f is not own)
        for frame in (here, *others):
            if frame is not None and frame.f_code.co_name not in _WAITING:
                self.counts[_place(frame)] += 1


def _is_in_event_loop(leaf: FrameType | None) -> bool:
    """Start-up is over: `asyncio.run` is on the stack."""
    frame = leaf
    while frame is not None:
        if frame.f_code.co_filename.endswith("asyncio/runners.py"):
            return True
        frame = frame.f_back
    return False


def _place(leaf: FrameType) -> str:
    """The innermost file of ours on the stack, and what it had called."""
    called = leaf.f_code
    frame: FrameType | None = leaf
    while frame is not None:
        name = frame.f_code.co_filename
        if _OURS in name:
            ours = name.rpartition(_OURS)[2].removesuffix(".py")
            return ours if name == called.co_filename else f"{ours}: {_callee(called)}"
        frame = frame.f_back
    return f"outside: {_callee(called)}"


def _callee(code: CodeType) -> str:
    if code.co_name.startswith("do_execute"):
        return "the database itself"  # its driver is C, and has no frame of its own
    return _library(code.co_filename)


def _library(path: str) -> str:
    """The package or module of the standard library that a file belongs to."""
    if _OURS in path:
        return path.rpartition(_OURS)[2].removesuffix(".py")
    if path.startswith("<"):
        return "generated code"  # a dataclass's own methods
    _, installed, below = path.rpartition("/site-packages/")
    if installed:
        return below.partition("/")[0]
    parts = path.rpartition("/lib/python")[2].split("/")
    return parts[1].removesuffix(".py") if len(parts) > 1 else path


def _main(output: Path, arguments: list[str]) -> None:
    from weighbridge.cli.main import main

    sys.argv = ["weighbridge", *arguments]
    sampler = Sampler()
    sampler.start()
    try:
        main()
    finally:
        sampler.end()
        output.write_text(json.dumps(sampler.counts))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2:])
