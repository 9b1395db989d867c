"""How many requests are in hand at once: above it they are sent away at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from weighbridge.web.errors import Refusal

KNOWN: Final = 512
"""Requests of senders that have shown who they are."""
KNOWN_BYTES: Final = 64 * 1024 * 1024
UNKNOWN: Final = 256
"""Those whose body is read to find out: whoever only claims to sign takes nothing
from the others, neither their places nor their memory."""
UNKNOWN_BYTES: Final = 16 * 1024 * 1024
RETRY_AFTER_S: Final = 2


class Room:
    """So many requests, with bodies of so many bytes; of one event loop."""

    def __init__(self, requests: int = KNOWN, size: int = KNOWN_BYTES) -> None:
        self._requests = requests
        self._bytes = size

    @contextmanager
    def enter(self) -> Iterator[None]:
        """While the block runs, one more. Raises Refusal(503)."""
        if not self._requests:
            raise overloaded()
        self._requests -= 1
        try:
            yield
        finally:
            self._requests += 1

    def hold(self, count: int) -> None:
        """Count bytes of a body. Raises Refusal(503)."""
        if count > self._bytes:
            raise overloaded()
        self._bytes -= count

    def release(self, count: int) -> None:
        """They were read, or given up."""
        self._bytes += count


class Rooms:
    """One for senders who are known by their heads, another for those who are not."""

    def __init__(self) -> None:
        self.known = Room()
        self.unknown = Room(UNKNOWN, UNKNOWN_BYTES)


def overloaded() -> Refusal:
    return Refusal(503, "more comes than can be kept: send it again", code="overload")
