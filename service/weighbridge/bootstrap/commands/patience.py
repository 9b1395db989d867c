"""Calls that are made again while the database is busy.

Two that lock the same rows in another order end in PostgreSQL's choosing one of them
(40P01), and SQLite's writers wait for one another for some seconds only.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from weighbridge.errors import StoreError

T = TypeVar("T")

PATIENCE_S: Final = 180.0
"""From the first try on."""
_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 2.0


def patiently(
    call: Callable[[], T],
    *,
    patience_s: float = PATIENCE_S,
    wait: Callable[[float], object] = time.sleep,
) -> T:
    """What `call` returns. It may run several times: what it did before it failed is
    undone, or needs no second time. Raises StoreError, database_busy in the end.

    wait: for so many seconds; True where nobody wants another try any more
    """
    ends_at = time.monotonic() + patience_s
    wait_s = _FIRST_WAIT_S
    while True:
        try:
            return call()
        except StoreError as exc:
            if exc.code != "database_busy" or time.monotonic() + wait_s > ends_at:
                raise
            if wait(wait_s):
                raise
        wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
