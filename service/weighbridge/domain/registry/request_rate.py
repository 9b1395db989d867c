"""So many requests a second, of which some may go before their time if urgent."""

from typing import Final

_EXACT_S: Final = 1e-9
"""Sums of fractions of a second are not exact."""


class RequestRate:
    """A virtual schedule (GCRA) in one number: when the next request is due.

    After a rest as many as fit into a second may go at once (one at least). Half of
    these are kept for who is urgent, who so need not wait for a turn where all turns
    are taken as they come. In no t seconds there are more than t + 1 seconds allow.
    """

    def __init__(self, per_second: float) -> None:
        self._interval_s = 1.0 / per_second
        # Whoever is urgent may go so much before the schedule, and the others so much.
        self._urgent_s = max(1.0, self._interval_s)
        self._ordinary_s = max(self._interval_s, self._urgent_s / 2)
        self._due = 0.0

    def enter(self, now: float, *, is_urgent: bool) -> float:
        """0: a request may go now, and its turn is taken. Else the seconds until one
        may; nothing is taken."""
        early_s = self._urgent_s if is_urgent else self._ordinary_s
        due = max(self._due, now) + self._interval_s
        wait_s = due - early_s - now
        if wait_s > _EXACT_S:
            return wait_s
        self._due = due
        return 0.0

    def spend(self, now: float) -> None:
        """Forget that there was a rest: what is not urgent has to wait for a turn."""
        self._due = max(self._due, now + self._ordinary_s)
