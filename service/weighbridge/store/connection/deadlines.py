"""How long whoever asks the database waits for it, and tries again while it is busy
or away.

A server that stands still takes what is sent to it and never answers, and the system
calls its connections sound. So each call on a connection has an end of its own, which
the thread that makes it has chosen: `within` for what somebody waits for, `unhurried`
for what walks over everything, and a minute an answer for all else.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


USUAL_S: Final = 60.0
"""For the answer to one statement. Whoever waits for a lock gives up before."""
UNHURRIED_S: Final = 3_600.0
"""For one of those that read or write a whole table."""
OPENING_S: Final = 10.0
"""For a connection: one that is kept is tried, and made anew where it is broken."""
LATE_S: Final = 1.0
"""The server ends a statement itself, if it can, and its connection is kept; so much
later we do, by closing the connection."""


class _OfThread(threading.local):
    """What holds for the calls of one thread.

    call_s:  for the answer to one statement
    ends_at: when everything is to have ended, by `time.monotonic`
    """

    call_s = USUAL_S
    ends_at = math.inf


_now = _OfThread()


class EndOfCalls:
    """When all calls of a process over one database are to have ended, whoever makes
    them: a process that is told to stop waits for no server."""

    ends_at = math.inf


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What this thread asks of a database in the block is answered within so many
    seconds, or ends with StoreError(database_unavailable, database_busy)."""
    with _holding(min(seconds, _now.call_s), _now.ends_at):
        _now.ends_at = min(_now.ends_at, time.monotonic() + seconds)
        yield


@contextmanager
def unhurried() -> Iterator[None]:
    """Statements of the block may take an hour each."""
    with _holding(UNHURRIED_S, _now.ends_at):
        yield


@contextmanager
def opening() -> Iterator[None]:
    """The block gets a connection, which no statement's time is left for."""
    with _holding(_now.call_s, min(_now.ends_at, time.monotonic() + OPENING_S)):
        yield


def call_s() -> float:
    """How long the server may take for a statement of this thread."""
    return _now.call_s


def ends_at() -> float:
    """When a call that begins now ends at the latest, by `time.monotonic`."""
    return min(time.monotonic() + _now.call_s, _now.ends_at) + LATE_S


@contextmanager
def _holding(call_s: float, ends_at: float) -> Iterator[None]:
    before = _now.call_s, _now.ends_at
    _now.call_s, _now.ends_at = call_s, ends_at
    try:
        yield
    finally:
        _now.call_s, _now.ends_at = before
