"""Pauses grow while something fails, and are short again once it works."""

from weighbridge.jobs.worker_processes import Pauses


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_they_grow_up_to_the_longest() -> None:
    pauses = Pauses(10, monotonic=Clock())

    assert [pauses.begin() for _ in range(6)] == [1, 2, 4, 8, 10, 10]


def test_one_is_over_when_its_time_has_passed() -> None:
    clock = Clock()
    pauses = Pauses(10, monotonic=clock)
    before = pauses.is_over
    pauses.begin()
    during = pauses.is_over
    clock.now = 1.0

    assert (before, during, pauses.is_over) == (True, False, True)


def test_what_works_begins_with_a_short_one_again() -> None:
    pauses = Pauses(10, monotonic=Clock())
    pauses.begin()
    pauses.begin()

    pauses.end()

    assert pauses.is_over
    assert pauses.begin() == 1
