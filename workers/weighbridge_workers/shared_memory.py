"""A few bytes that a worker and the processes of its pool share.

Celery tells only the worker itself that it is to stop, and only the pool's processes
know that something was done.
"""

import mmap
import struct
import time
from typing import Final

_NUMBER: Final = struct.Struct("d")
_STOP: Final = 0
_LIFE: Final = _NUMBER.size


class SharedMemory:
    """Made before the fork. Times are those of the machine's monotonic clock."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 2 * _NUMBER.size)

    def note_stop(self) -> None:
        """Say that the worker is to stop."""
        if not self._read(_STOP):
            self._write(_STOP, time.monotonic())

    def stopping_for(self) -> float | None:
        """Seconds since it was told to stop; None where it was not."""
        since = self._read(_STOP)
        return time.monotonic() - since if since else None

    def note_life(self) -> None:
        """Say that a job has come to its end, or goes on."""
        self._write(_LIFE, time.monotonic())

    def silent_for(self) -> float | None:
        """Seconds since the last sign of life; None where there was none."""
        since = self._read(_LIFE)
        return time.monotonic() - since if since else None

    def _read(self, at: int) -> float:
        number: float = _NUMBER.unpack_from(self._memory, at)[0]
        return number

    def _write(self, at: int, number: float) -> None:
        _NUMBER.pack_into(self._memory, at, number)
