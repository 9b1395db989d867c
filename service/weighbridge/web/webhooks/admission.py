"""How many requests are in hand at once: above it they are sent away at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from weighbridge.web.request.errors import Refusal

KNOWN: Final = 512
"""Requests of senders that have shown who they are."""
KNOWN_BYTES: Final = 64 * 1024 * 1024
RETRY_AFTER_S: Final = 2


class ByteCounter(Protocol):
    """What counts the bytes of bodies."""

    def hold(self, count: int) -> None:
        """Count bytes of a body. Raises Refusal(503)."""

    def release(self, count: int) -> None:
        """They were read, or given up."""


class Admission:
    """So many requests of senders who are known by their heads, with bodies of so many
    bytes; of one event loop."""

    def __init__(self, requests: int = KNOWN, size: int = KNOWN_BYTES) -> None:
        self._requests = requests
        self._bytes = size

    @contextmanager
    def enter(self) -> Iterator["Admission"]:
        """While the block runs, one more. Raises Refusal(503)."""
        if not self._requests:
            raise overloaded()
        self._requests -= 1
        try:
            yield self
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


def overloaded() -> Refusal:
    return Refusal(503, "more comes than can be kept: send it again", code="overload")
