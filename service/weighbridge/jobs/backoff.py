"""Pauses that grow while something does not work."""

import time
from collections.abc import Callable


class Pauses:
    """A second after the first failure, twice as long after each further one.

    most_s: never longer than this
    """

    def __init__(
        self,
        most_s: float,
        *,
        first_s: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._monotonic = monotonic
        self._next_s = first_s
        self._ends_at = float("-inf")

    @property
    def is_over(self) -> bool:
        """Whether it may be tried again."""
        return self._monotonic() >= self._ends_at

    def begin(self) -> float:
        """It has failed; how long the pause is that begins now."""
        pause_s = self._next_s
        self._ends_at = self._monotonic() + pause_s
        self._next_s = min(2 * pause_s, self._most_s)
        return pause_s

    def end(self) -> None:
        """It works."""
        self._next_s = self._first_s
        self._ends_at = float("-inf")
