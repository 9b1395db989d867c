"""Runs the Celery processes of `weighbridge worker` until one of them ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Final

from weighbridge.errors import UsageError

_APP: Final = "weighbridge_workers.app"
_PARENT: Final = "_WEIGHBRIDGE_PARENT"
"""Tells a node whose end is its own; see `weighbridge_workers.watchdog`."""
_LOOK_S: Final = 0.2
STOP_S: Final = 30.0
"""So long a worker that was told to stop may take."""


def celery_command(command: str, *arguments: str) -> list[str]:
    """`python -m celery`, of the Python that runs us."""
    return [sys.executable, "-m", "celery", "-q", "-A", _APP, command, *arguments]


def worker_command(name: str, queues: Sequence[str], concurrency: int) -> list[str]:
    """One node of Celery with a pool of processes. What nodes tell each other by
    default (gossip, heartbeats) nobody needs here."""
    return celery_command(
        "worker",
        *("--hostname", f"{name}@%h", "--queues", ",".join(queues)),
        *("--concurrency", str(concurrency)),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
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


def become(command: Sequence[str], environ: Mapping[str, str]) -> None:
    """Replace this process; does not return."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(command[0], list(command), dict(environ))  # noqa: S606 - our own Python


class Nodes:
    """Several processes that live and end together."""

    def __init__(self, commands: Sequence[Sequence[str]]) -> None:
        self._commands = commands
        self._is_stopping = False

    def run(self, environ: Mapping[str, str]) -> int:
        """Until a signal, or until one of them ends; the exit code: 0 where they were
        told to stop and did."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        ours = {**environ, _PARENT: str(os.getpid())}
        nodes = [
            subprocess.Popen(list(command), env=ours)  # noqa: S603 - ours
            for command in self._commands
        ]
        while not self._is_stopping and all(node.poll() is None for node in nodes):
            time.sleep(_LOOK_S)
        codes = [node.poll() for node in nodes]
        for node in nodes:
            # A terminal's Ctrl-C has told them already: once more changes nothing.
            node.terminate()
        ends_at = time.monotonic() + STOP_S
        for node in nodes:
            try:
                node.wait(max(0.0, ends_at - time.monotonic()))
            except subprocess.TimeoutExpired:
                node.kill()
                node.wait()
        if not self._is_stopping:
            return next((_shown(code) for code in codes if code), 3)
        return max(_after_stop(node.returncode) for node in nodes)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._is_stopping = True


def _after_stop(code: int) -> int:
    """SIGTERM ends a node that has not begun to listen for it: it has taken no work."""
    return 0 if code == -signal.SIGTERM else _shown(code)


def _shown(code: int) -> int:
    """As a shell shows it: 128 and the number of the signal that has ended it."""
    return 128 - code if code < 0 else code
