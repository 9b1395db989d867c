"""What a process asks while Redis is away: its part, and no more."""

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.config.settings import Pace
from weighbridge.jobs.pacing.shared_pacing import NOT_TOLD, PaceSharers


@given(st.integers(1, 64), st.integers(1, 20))
def test_the_parts_of_all_are_all_slots_and_one_of_them_is_kept(
    concurrency: int, count: int
) -> None:
    parts = [PaceSharers(count, rank, 0.0).slots(concurrency) for rank in range(count)]

    assert sum(most for most, _ in parts) == concurrency
    kept = 1 if concurrency > count else 0
    assert sum(ordinary for _, ordinary in parts) == concurrency - (
        kept if concurrency > 1 else 0
    )
    assert all(ordinary <= most for most, ordinary in parts)


def test_the_rate_is_divided_by_the_processes() -> None:
    rate = PaceSharers(4, 0, 0.0).rate(Pace(20.0, 100), 100.0)
    assert rate is not None

    waits = []
    now = 100.0
    for _ in range(3):
        wait = rate.enter(now, is_urgent=False)
        waits.append(round(wait, 3))
        now += wait
        assert rate.enter(now, is_urgent=False) == 0

    # After Redis went away there was no rest.
    assert waits == [0.2, 0.2, 0.2]


def test_who_has_no_slot_is_given_no_part_of_the_rate() -> None:
    two_of_five = PaceSharers(5, 1, 0.0).rate(Pace(20.0, 2), 0.0)
    assert two_of_five is not None

    assert round(two_of_five.enter(0.0, is_urgent=False), 3) == 0.1


def test_processes_that_nobody_has_counted_are_taken_for_many() -> None:
    assert NOT_TOLD.slots(8) == (1, 1)
    assert NOT_TOLD.slots(1) == (1, 1)
    assert NOT_TOLD.slots(32) == (4, 4)


def test_no_limit_stays_none() -> None:
    assert PaceSharers(3, 0, 0.0).rate(Pace(None, 8), 0.0) is None
