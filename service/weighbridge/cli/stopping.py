"""SIGTERM, which ends a command in the way that Ctrl-C does."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

INTERRUPTED: Final = 128 + signal.SIGINT
"""What a shell says of a process that Ctrl-C has ended."""
TERMINATED: Final = 128 + signal.SIGTERM


class Stops:
    """How the command was told to stop.

    code: the exit code that says so
    """

    def __init__(self) -> None:
        self.code: int = INTERRUPTED

    def on_sigterm(self, number: int, frame: FrameType | None) -> None:
        """Hand it to whoever heeds Ctrl-C now: asyncio cancels its task. A shell's
        background jobs ignore Ctrl-C, and have nobody to hand it to."""
        self.code = TERMINATED
        heed = signal.getsignal(signal.SIGINT)
        if not callable(heed):
            raise KeyboardInterrupt
        heed(signal.SIGINT, frame)


@contextmanager
def stopped_by_sigterm() -> Iterator[Stops]:
    """SIGTERM raises KeyboardInterrupt in the block, as SIGINT does. Only for the
    main thread."""
    stops = Stops()
    before = signal.signal(signal.SIGTERM, stops.on_sigterm)
    try:
        yield stops
    finally:
        signal.signal(signal.SIGTERM, before)
