"""How many requests are in hand at once: above it they are sent away at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from weighbridge.web.errors import Refusal

KNOWN: Final = 512
"""Requests of senders that have shown who they are."""
UNKNOWN: Final = 64
"""Those whose body is read to find out: whoever only claims to sign takes nothing
from the others."""
BODIES_BYTES: Final = 64 * 1024 * 1024
RETRY_AFTER_S: Final = 2


class Room:
    """Counts what is in hand; of one event loop."""

    def __init__(self) -> None:
        self._known = 0
        self._unknown = 0
        self._bytes = 0

    @contextmanager
    def enter(self, *, is_known: bool) -> Iterator[None]:
        """While the block runs, one more. Raises Refusal(503)."""
        if is_known:
            if self._known >= KNOWN:
                raise overloaded()
            self._known += 1
            try:
                yield
            finally:
                self._known -= 1
        else:
            if self._unknown >= UNKNOWN:
                raise overloaded()
            self._unknown += 1
            try:
                yield
            finally:
                self._unknown -= 1

    def hold(self, count: int) -> None:
        """Count bytes of a body. Raises Refusal(503)."""
        self._bytes += count
        if self._bytes > BODIES_BYTES:
            self._bytes -= count
            raise overloaded()

    def release(self, count: int) -> None:
        """They were read, or given up."""
        self._bytes -= count


def overloaded() -> Refusal:
    return Refusal(503, "more comes than can be kept: send it again", code="overload")
