"""Trying again while the database is busy or away."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from weighbridge.errors import StoreError

T = TypeVar("T")

PATIENCE_S: Final = 180.0
"""From the first try on: so long a database may be locked, or be restarted."""
_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 2.0
_PASSING: Final = frozenset({"database_busy", "database_unavailable"})
"""What goes by while one waits; a full disk needs a person."""


class Retries:
    """Whether, and when, one call is made again.

    patience_s: from now on
    """

    __slots__ = ("_ends_at", "_wait_s")

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._ends_at = time.monotonic() + patience_s
        self._wait_s = _FIRST_WAIT_S

    def wait_s(self, error: StoreError) -> float:
        """Seconds until the next try, which grow. Raises the error where that would
        change nothing, or comes too late."""
        wait_s = self._wait_s
        if error.code not in _PASSING or time.monotonic() + wait_s > self._ends_at:
            raise error
        self._wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        return wait_s


def patiently(
    call: Callable[[], T],
    *,
    patience_s: float = PATIENCE_S,
    wait: Callable[[float], object] = time.sleep,
) -> T:
    """What `call` returns. It may run several times: what it did before it failed is
    undone, or needs no second time. Raises StoreError.

    wait: for so many seconds
    """
    patience = Retries(patience_s)
    while True:
        try:
            return call()
        except StoreError as exc:
            wait(patience.wait_s(exc))
