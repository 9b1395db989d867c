"""A clock that is put back puts no crawl off for longer than an interval."""

from datetime import timedelta

from support.store_world import T0
from weighbridge.bootstrap.due_times import DueTimes

HOUR = timedelta(hours=1)


def test_a_registry_is_due_when_its_wait_is_over() -> None:
    times = DueTimes()
    times.put("hub", T0, HOUR)

    assert times.due(T0 + HOUR - timedelta(seconds=1)) == []
    assert times.due(T0 + HOUR) == ["hub"]


def test_h1_a_clock_that_is_put_back_begins_the_wait_anew() -> None:
    times = DueTimes()
    times.put("hub", T0, HOUR)
    years_ago = T0 - timedelta(days=2000)

    assert times.due(years_ago) == []
    assert times.due(years_ago + HOUR) == ["hub"]


def test_a_clock_that_is_put_forward_ends_it() -> None:
    times = DueTimes()
    times.put("hub", T0, HOUR)

    assert times.due(T0 + timedelta(days=2000)) == ["hub"]
