"""So many requests a second and no more, whoever is urgent first."""

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.registry.rate_limit import RequestRate

ASKED = st.lists(st.tuples(st.floats(0, 0.5), st.booleans()), max_size=200)


@given(st.floats(0.2, 100), ASKED)
def test_in_no_time_there_are_more_than_it_and_a_second_allow(
    per_second: float, asked: list[tuple[float, bool]]
) -> None:
    rate = RequestRate(per_second)
    now, went = 1000.0, []
    for later_s, is_urgent in asked:
        now += later_s
        if rate.enter(now, is_urgent=is_urgent) == 0:
            went.append(now)

    rest_s = max(1.0, 1.0 / per_second)
    for first, begin in enumerate(went):
        for last in range(first, len(went)):
            allowed = per_second * (went[last] - begin + rest_s)
            assert last - first + 1 <= allowed + 1e-3


@given(st.floats(0.2, 100), ASKED)
def test_whoever_is_told_to_wait_may_go_then(
    per_second: float, asked: list[tuple[float, bool]]
) -> None:
    rate = RequestRate(per_second)
    now = 0.0
    for later_s, is_urgent in asked:
        now += later_s
        wait = rate.enter(now, is_urgent=is_urgent)
        if wait > 0:
            now += wait
            assert rate.enter(now, is_urgent=is_urgent) == 0


def test_half_a_second_of_turns_is_kept_for_who_is_urgent() -> None:
    rate = RequestRate(20)

    ordinary = [rate.enter(0.0, is_urgent=False) for _ in range(11)]
    urgent = [rate.enter(0.0, is_urgent=True) for _ in range(11)]

    assert (ordinary.count(0), urgent.count(0)) == (10, 10)


def test_a_rate_of_one_a_second_keeps_nothing_back() -> None:
    rate = RequestRate(1)

    assert rate.enter(0.0, is_urgent=False) == 0
    assert rate.enter(0.0, is_urgent=True) == 1
