"""How many requests are under way, and the place that is kept for who is urgent."""


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
