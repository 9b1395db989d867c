"""So many requests a second, of which some may go before their time if urgent, and so
many at once."""

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


def open_to_all(most: int) -> int:
    """So many of `most` requests may be under way of those who are not urgent: from
    two on, one place is kept."""
    return most - 1 if most > 1 else most


class Slots:
    """Counts requests that are under way. Its limits may change at any time; nothing
    that is under way is taken back then.

    most:     of all
    ordinary: of those that are not urgent
    """

    def __init__(self, most: int) -> None:
        self.busy = 0
        self.busy_ordinary = 0
        self.limit(most, open_to_all(most))

    def limit(self, most: int, ordinary: int) -> None:
        """Set both limits."""
        self.most = most
        self.ordinary = ordinary

    @property
    def room(self) -> int:
        """So many more that are not urgent might begin now."""
        room = min(self.most - self.busy, self.ordinary - self.busy_ordinary)
        return max(0, room)

    def has_room(self, *, is_urgent: bool) -> bool:
        """Whether one more may begin."""
        return self.busy < self.most if is_urgent else self.room > 0

    def take(self, *, is_urgent: bool) -> None:
        """One has begun."""
        self.busy += 1
        self.busy_ordinary += not is_urgent

    def drop(self, *, is_urgent: bool) -> None:
        """One has ended."""
        self.busy -= 1
        self.busy_ordinary -= not is_urgent
