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
        """Hand it to whoever heeds Ctrl-C now: asyncio cancels its task."""
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
        with _heeded_where_ignored():
            yield stops
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _heeded_where_ignored() -> Iterator[None]:
    """A shell's background jobs ignore Ctrl-C, and asyncio cancels nothing for a signal
    that is ignored, so SIGTERM would have nobody to be handed to. In the block Ctrl-C
    has its usual handler and is kept from this thread instead."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        yield
        return
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        # One that waits is dropped here.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
