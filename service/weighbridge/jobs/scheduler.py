"""Rings for due work at a steady beat, on a thread of its own."""

import threading
from collections.abc import Callable
from typing import Final

import structlog

from weighbridge.errors import WeighbridgeError

BEAT_S: Final = 5.0


class Scheduler:
    """Calls `tick` at once and then every `beat_s` seconds until closed."""

    def __init__(self, tick: Callable[[], None], beat_s: float = BEAT_S) -> None:
        self._tick = tick
        self._beat_s = beat_s
        self._closed = threading.Event()
        self._log = structlog.get_logger("weighbridge.scheduler")
        self._thread = threading.Thread(
            target=self._run, name="weighbridge-scheduler", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout_s: float = 5.0) -> None:
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            try:
                self._tick()
            except WeighbridgeError as exc:
                self._log.error("tick failed", code=exc.code, why=exc.message)
            if self._closed.wait(self._beat_s):
                return
