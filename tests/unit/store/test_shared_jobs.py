"""Jobs of the table `jobs`: one worker has each, and none is lost."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from support.database import Engine, a_database
from support.store_world import T0
from weighbridge.store.leases.claiming import STARTS
from weighbridge.store.leases.jobs import (
    Job,
    JobClaim,
    claim_job,
    count_job_anew,
    due_jobs,
    end_job,
    give_back_job,
    make_due,
    renew_job,
)
from weighbridge.store.session import Database

MEASURE = Job("measure", "hub")
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def database(engine: Engine, tmp_path: Path) -> Iterator[Database]:
    with a_database(tmp_path, engine) as opened:
        yield opened


def begin(
    database: Database, owner: str, now: datetime = T0, every: timedelta = HOUR
) -> JobClaim | None:
    with database.write() as connection:
        return claim_job(
            connection, MEASURE, now=now, next_at=now + every, lease_s=30, owner=owner
        )


def is_due(database: Database, now: datetime) -> bool:
    with database.read() as connection:
        return due_jobs(connection, [MEASURE], now) == [MEASURE]


def test_one_of_two_has_it(database: Database) -> None:
    first, second = begin(database, "a/1"), begin(database, "b/1")

    assert first is not None
    assert second is None


def test_asked_again_since_an_answer_was_lost_it_is_granted_again(
    database: Database,
) -> None:
    begin(database, "a/1")

    assert begin(database, "a/1") is not None


def test_what_was_done_is_due_after_its_interval(database: Database) -> None:
    claimed = begin(database, "a/1")
    assert claimed is not None
    with database.write() as connection:
        end_job(connection, claimed, T0 + SECOND)

    assert not is_due(database, T0 + HOUR - SECOND)
    assert begin(database, "b/1", T0 + SECOND) is None
    assert is_due(database, T0 + HOUR)


def test_what_comes_in_while_it_is_done_is_not_lost(database: Database) -> None:
    claimed = begin(database, "a/1")
    assert claimed is not None
    with database.write() as connection:
        make_due(connection, MEASURE, T0 + SECOND)
        end_job(connection, claimed, T0 + 2 * SECOND)

    assert is_due(database, T0 + 2 * SECOND)


def test_f14_a_killed_workers_job_is_due_when_its_lease_ends(
    database: Database,
) -> None:
    claimed = begin(database, "a/1")
    assert claimed is not None
    with database.write() as connection:
        renew_job(connection, claimed, T0 + 20 * SECOND)

    assert not is_due(database, T0 + 31 * SECOND)
    assert is_due(database, T0 + 51 * SECOND)


def test_f16_a_worker_that_comes_back_late_changes_nothing(database: Database) -> None:
    late = begin(database, "a/1")
    again = begin(database, "b/1", T0 + 31 * SECOND)
    assert late is not None
    assert again is not None

    with database.write() as connection:
        end_job(connection, late, T0 + 32 * SECOND)

    assert begin(database, "c/1", T0 + 33 * SECOND) is None


def test_what_was_given_back_is_due_at_once_and_was_no_start(
    database: Database,
) -> None:
    for number in range(5):
        claimed = begin(database, f"a/{number}")
        assert claimed is not None, number
        with database.write() as connection:
            give_back_job(connection, claimed, T0)


def test_broker_005_a_job_that_kills_three_workers_waits(database: Database) -> None:
    now = T0
    for number in range(3):
        assert begin(database, f"a/{number}", now) is not None
        now += 31 * SECOND

    assert begin(database, "a/4", now) is None
    assert not is_due(database, now)
    assert is_due(database, now + HOUR)


def test_starts_of_a_job_that_each_stored_more_do_not_have_it_wait(
    database: Database,
) -> None:
    now = T0
    for number in range(3 * STARTS):
        claimed = begin(database, f"a/{number}", now)
        assert claimed is not None, number
        with database.write() as connection:
            count_job_anew(connection, claimed)
        now += 31 * SECOND

    assert is_due(database, now)


@pytest.mark.parametrize("gets_further", [False, True])
def test_a_third_start_that_ends_well_is_due_after_its_own_interval(
    database: Database, gets_further: bool
) -> None:
    now = T0
    for number in range(STARTS):
        claimed = begin(database, f"a/{number}", now, every=60 * SECOND)
        assert claimed is not None
        began, now = now, now + 31 * SECOND
    assert claimed is not None
    with database.write() as connection:
        if gets_further:
            count_job_anew(connection, claimed)
        end_job(connection, claimed, now)

    assert not is_due(database, began + 59 * SECOND)
    assert is_due(database, began + 60 * SECOND)
