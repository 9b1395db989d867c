"""Rings for due work at a steady beat, on a thread of its own."""

from collections.abc import Callable
from typing import Final

import structlog

from weighbridge.beat import Beat
from weighbridge.errors import WeighbridgeError

BEAT_S: Final = 5.0


class Scheduler:
    """Calls `tick` at once and then every `beat_s` seconds until closed."""

    def __init__(self, tick: Callable[[], None], beat_s: float = BEAT_S) -> None:
        self._tick = tick
        self._beat_s = beat_s
        self._log = structlog.get_logger("weighbridge.scheduler")
        self._beat = Beat("weighbridge-scheduler", self._step)

    def start(self) -> None:
        self._beat.start()

    def close(self) -> None:
        self._beat.close()

    def _step(self) -> float:
        try:
            self._tick()
        except WeighbridgeError as exc:
            self._log.error("tick failed", code=exc.code, why=exc.message)
        return self._beat_s
