"""Has a worker's process end in time, whatever in it waits."""

import os
from collections.abc import Callable
from typing import Final

import structlog

from weighbridge.beat import Beat
from weighbridge_workers.shared_memory import SharedMemory

GRACE_S: Final = 12.0
"""So long a job may go on once the worker is to stop; then it is given back. The
whole worker has 30 seconds."""
LAST_CALL_S: Final = 8.0
"""So long after that the database is still waited for."""
FORCED_S: Final = 26.0
"""Since the worker was told to stop: a process that lives then ends at once."""
EXIT_CODE: Final = 70
_LOOK_S: Final = 0.5


class Stopping:
    """A thread that looks whether the worker is to stop.

    hang_up: has every call of the database end within so many seconds
    give_up: ends the process
    """

    def __init__(
        self,
        memory: SharedMemory,
        hang_up: Callable[[float], None],
        give_up: Callable[[], None] = lambda: os._exit(EXIT_CODE),
    ) -> None:
        self._memory = memory
        self._hang_up = hang_up
        self._give_up = give_up
        self._has_hung_up = False
        self._log = structlog.get_logger("weighbridge.worker")
        self._beat = Beat("weighbridge-stopping", self._step)

    def start(self) -> None:
        """Begin to look; returns at once."""
        self._beat.start()

    def close(self) -> None:
        """The process ends by itself."""
        self._beat.close()

    def _step(self) -> float:
        waited_s = self._memory.stopping_for()
        if waited_s is None or waited_s < GRACE_S:
            return _LOOK_S
        if not self._has_hung_up:
            self._has_hung_up = True
            self._hang_up(LAST_CALL_S)
        if waited_s >= FORCED_S:
            self._log.warning("ended with work under way", waited_s=waited_s)
            self._give_up()
        return _LOOK_S
