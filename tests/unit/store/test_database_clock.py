"""Leases and due times go by the database's clock, whatever a worker's says."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.database import Engine, a_database
from weighbridge.store.leases.validity import DatabaseClock
from weighbridge.store.session import Database


@pytest.fixture
def database(engine: Engine, tmp_path: Path) -> Iterator[Database]:
    with a_database(tmp_path, engine) as opened:
        yield opened


def two_days_ahead() -> datetime:
    return datetime.now(UTC) + timedelta(days=2)


@pytest.mark.only_on("postgresql")
def test_f33_a_clock_that_is_wrong_is_put_right_by_the_server(
    database: Database,
) -> None:
    clock = DatabaseClock(database, ours=two_days_ahead)

    before = clock()
    clock.measure()

    assert before - datetime.now(UTC) > timedelta(days=1)
    assert abs(clock() - datetime.now(UTC)) < timedelta(seconds=10)


@pytest.mark.only_on("postgresql")
def test_f33_a_clock_that_is_put_right_meanwhile_changes_nothing(
    database: Database,
) -> None:
    ours = [datetime.now(UTC)]
    clock = DatabaseClock(database, ours=lambda: ours[0])
    clock.measure()

    ours[0] -= timedelta(days=2)

    assert abs(clock() - datetime.now(UTC)) < timedelta(seconds=10)


@pytest.mark.only_on("postgresql")
def test_time_goes_on_between_two_measurements(database: Database) -> None:
    seconds = [100.0]
    clock = DatabaseClock(database, monotonic=lambda: seconds[0])
    clock.measure()
    before = clock()

    seconds[0] += 30

    assert clock() - before == timedelta(seconds=30)


@pytest.mark.only_on("postgresql")
def test_an_answer_that_was_long_on_its_way_does_not_count(database: Database) -> None:
    """The second of three trips takes no time by our seconds, the others a minute."""
    readings = iter([0.0, 60.0, 100.0, 100.0, 200.0, 260.0, 100.0])
    clock = DatabaseClock(database, monotonic=lambda: next(readings))

    clock.measure()

    assert abs(clock() - datetime.now(UTC)) < timedelta(seconds=10)


@pytest.mark.only_on("sqlite")
def test_on_one_machine_there_is_one_clock(database: Database) -> None:
    clock = DatabaseClock(database, ours=two_days_ahead)

    clock.measure()

    assert clock() - datetime.now(UTC) > timedelta(days=1)


@pytest.mark.only_on("postgresql")
def test_h1_a_server_whose_clock_is_put_right_is_asked_again_a_minute_later(
    database: Database,
) -> None:
    seconds = [100.0]
    clock = DatabaseClock(database, monotonic=lambda: seconds[0])
    clock.measure()
    seconds[0] += 59
    clock.refresh()
    as_measured_first = clock()
    seconds[0] += 2

    clock.refresh()

    assert as_measured_first - datetime.now(UTC) > timedelta(seconds=50)
    assert abs(clock() - datetime.now(UTC)) < timedelta(seconds=10)
