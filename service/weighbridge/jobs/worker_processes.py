"""Runs the Celery processes of `weighbridge worker`, and starts again what ended, after
pauses that grow."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Final, NoReturn

import structlog

from weighbridge.errors import UsageError
from weighbridge.service_manager import UNMANAGED, ServiceManager


class Pauses:
    """A second after the first failure, twice as long after each further one.

    most_s: never longer than this
    """

    def __init__(
        self,
        most_s: float,
        *,
        first_s: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._monotonic = monotonic
        self._next_s = first_s
        self._ends_at = float("-inf")

    @property
    def is_over(self) -> bool:
        """Whether it may be tried again."""
        return self._monotonic() >= self._ends_at

    def begin(self) -> float:
        """It has failed; how long the pause is that begins now."""
        pause_s = self._next_s
        self._ends_at = self._monotonic() + pause_s
        self._next_s = min(2 * pause_s, self._most_s)
        return pause_s

    def end(self) -> None:
        """It works."""
        self._next_s = self._first_s
        self._ends_at = float("-inf")


_APP: Final = "weighbridge_workers.app"
PARENT: Final = "_WEIGHBRIDGE_PARENT"
"""Tells a node whose end is its own; see `weighbridge_workers.signals`."""
_LOOK_S: Final = 0.2
MOST_PAUSE_S: Final = 20.0
"""A process that ends at once is not started more often than so. Half a minute after
the cause has gone it works."""
_LIVED_S: Final = 60.0
"""One that lived so long is started again after the shortest pause."""
STOP_S: Final = 30.0
"""So long a worker that was told to stop may take."""


def celery_command(command: str, *arguments: str) -> list[str]:
    """`python -m celery`, of the Python that runs us."""
    return [sys.executable, "-m", "celery", "-q", "-A", _APP, command, *arguments]


def worker_command(name: str, queues: Sequence[str], concurrency: int) -> list[str]:
    """One node of Celery with a pool of processes. What nodes tell each other by
    default nobody needs here; its heartbeats show it to Flower."""
    return celery_command(
        "worker",
        *("--hostname", f"{name}@%h", "--queues", ",".join(queues)),
        *("--concurrency", str(concurrency)),
        *("--without-gossip", "--without-mingle"),
    )


def require_workers() -> None:
    """Raises UsageError(missing_extra) where Celery or Redis is not installed."""
    from importlib.util import find_spec

    missing = [name for name in ("celery", "redis") if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"{' and '.join(missing)} must be installed for this command",
            code="missing_extra",
            hint="pip install 'weighbridge[workers]'",
        )


def become(command: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Replace this process."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(command[0], list(command), dict(environ))  # noqa: S606 - our own Python


class WorkerProcesses:
    """Several processes; one that ends is started again, after a pause that grows.

    manager:      is notified of how this process is, not of theirs
    most_pause_s: the longest pause
    """

    def __init__(
        self,
        commands: Sequence[Sequence[str]],
        *,
        manager: ServiceManager = UNMANAGED,
        most_pause_s: float = MOST_PAUSE_S,
    ) -> None:
        self._commands = commands
        self._manager = manager
        self._most_pause_s = most_pause_s
        self._is_stopping = False

    def run(self, environ: Mapping[str, str]) -> int:
        """Until a signal or `stop`; the exit code: 0 where all were told to stop and
        did."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._heed)
        ours = {**environ, PARENT: str(os.getpid())}
        nodes = [_Node(one, ours, self._most_pause_s) for one in self._commands]
        while not self._is_stopping:
            for node in nodes:
                node.look()
            self._manager.ready()
            self._manager.alive()
            time.sleep(_LOOK_S)
        self._manager.stopping()
        running = [node.process for node in nodes if node.process is not None]
        for process in running:
            # A terminal's Ctrl-C has told them already: once more changes nothing.
            process.terminate()
        ends_at = time.monotonic() + STOP_S
        for process in running:
            try:
                process.wait(max(0.0, ends_at - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return max((_after_stop(p.returncode) for p in running), default=0)

    def stop(self) -> None:
        """Have it end as a signal does, from any thread."""
        self._is_stopping = True

    def _heed(self, number: int, frame: FrameType | None) -> None:
        self.stop()


class _Node:
    """One of them."""

    def __init__(
        self, command: Sequence[str], environ: Mapping[str, str], most_pause_s: float
    ) -> None:
        self._command = list(command)
        self._environ = environ
        self._pauses = Pauses(most_pause_s)
        self._started_at = 0.0
        self._log = structlog.get_logger("weighbridge.worker")
        self.process: subprocess.Popen[bytes] | None = None

    def look(self) -> None:
        """Start it if it does not run, and is not to be waited for."""
        if self.process is not None and self.process.poll() is not None:
            self._note_end(self.process.returncode)
        if self.process is None and self._pauses.is_over:
            self._started_at = time.monotonic()
            self.process = subprocess.Popen(  # noqa: S603 - ours
                self._command, env=self._environ
            )

    def _note_end(self, code: int) -> None:
        self.process = None
        if time.monotonic() - self._started_at > _LIVED_S:
            self._pauses.end()
        pause_s = self._pauses.begin()
        self._log.error(
            "a worker's process has ended and is started again",
            exit_code=_shown(code),
            pause_seconds=pause_s,
        )


def _after_stop(code: int) -> int:
    """SIGTERM ends a node that has not begun to listen for it: it has taken no work."""
    return 0 if code == -signal.SIGTERM else _shown(code)


def _shown(code: int) -> int:
    """As a shell shows it: 128 and the number of the signal that has ended it."""
    return 128 - code if code < 0 else code
