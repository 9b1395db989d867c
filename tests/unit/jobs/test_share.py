"""What a process asks while Redis is away: its part, and no more."""

from weighbridge.config.settings import Pace
from weighbridge.jobs.shared_pacing import Share


class Hand:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_slots_are_divided_by_the_crew() -> None:
    share = Share(Pace(None, 8), Hand())
    share.crew = 3

    entered = [share.enter()[0] for _ in range(3)]
    share.leave()

    assert entered == [True, True, False]
    assert share.enter() == (True, 0.0)


def test_everybody_has_one_slot_at_least() -> None:
    share = Share(Pace(None, 2), Hand())
    share.crew = 5

    assert [share.enter()[0] for _ in range(2)] == [True, False]


def test_the_rate_is_divided_by_the_crew() -> None:
    hand = Hand()
    share = Share(Pace(20.0, 100), hand)
    share.crew = 4

    waits = [share.enter()[1] for _ in range(4)]
    hand.now += 10
    later = share.enter()[1]

    assert [round(wait, 3) for wait in waits] == [0.0, 0.2, 0.4, 0.6]
    assert later == 0.0


def test_a_crew_that_nobody_has_counted_is_taken_for_large() -> None:
    share = Share(Pace(None, 8), Hand())

    assert [share.enter()[0] for _ in range(2)] == [True, False]


def test_f03_a_pause_holds_for_all() -> None:
    hand = Hand()
    share = Share(Pace(None, 8), hand)
    share.pause(3.0)

    assert share.enter() == (False, 3.0)
    hand.now += 3.0
    assert share.enter() == (True, 0.0)
