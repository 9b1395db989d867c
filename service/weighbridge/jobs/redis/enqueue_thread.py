"""Enqueues work on a thread of its own: whoever commits does not wait for Redis."""

import threading
from typing import Final

import structlog

from weighbridge.ports.protocols import JobQueue

MOST: Final = 10_000
"""What is not enqueued is found by the scheduler's tick."""


class EnqueueThread:
    """A `JobQueue` in front of one that may take a while."""

    def __init__(self, jobs: JobQueue) -> None:
        self._jobs = jobs
        self._log = structlog.get_logger("weighbridge.jobs")
        self._waiting: dict[tuple[str, str], bool] = {}
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(
            target=self._run, name="weighbridge-enqueue", daemon=True
        )

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def put(self, job: str, argument: str, *, first: bool = False) -> None:
        """See `ports.JobQueue`. Returns at once."""
        with self._changed:
            if len(self._waiting) < MOST:
                self._waiting[job, argument] = first
                self._changed.notify()

    def close(self, timeout_s: float = 3.0) -> None:
        """Enqueue what waits, as far as there is time, and end the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closed)
                if not self._waiting:
                    return
                (job, argument), first = next(iter(self._waiting.items()))
                del self._waiting[job, argument]
            try:
                self._jobs.put(job, argument, first=first)
            except Exception as exc:  # noqa: BLE001 - the thread must outlive any call
                self._log.error("no work is enqueued", code="bug", why=repr(exc))
