"""125,104 recorded updates of Docker official images, judged as they came.

By the default policy, in a real database, with the real outbox; each message is sent at
the moment when it is due.
"""

from datetime import UTC, datetime

import pytest

from support.recorded_messages import Replayed, replay
from support.replica.pushes import recorded_looks
from weighbridge.store.session import open_database

pytestmark = pytest.mark.timeout(7_200)

SEPTEMBER = datetime(2017, 9, 8, tzinfo=UTC)
SOON = datetime(2017, 9, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def replayed(database_url: str) -> Replayed:
    database = open_database(database_url)
    try:
        return replay(database, recorded_looks())
    finally:
        database.close()


def test_growth_is_told_of_once_for_each_hundred_updates_at_most(
    replayed: Replayed,
) -> None:
    print(f"{replayed.updates} updates, {replayed.of_growth} messages of growth")
    assert replayed.updates > 120_000
    assert 0 < replayed.of_growth * 100 <= replayed.updates


def test_the_base_of_many_is_one_first_and_one_gathered_message(
    replayed: Replayed,
) -> None:
    causes = replayed.causes_of("openjdk", SEPTEMBER, SOON)
    shared = {key for key in causes if len(replayed.repositories_with(key)) > 10}

    for key in shared:
        count = len(replayed.repositories_with(key))
        print(f"{len(replayed.with_cause(key))} messages of a cause in {count}")
    assert len(shared) == 1
    for key in causes:
        assert len(replayed.with_cause(key)) <= 2


def test_no_cause_is_told_of_more_than_twice_a_week(replayed: Replayed) -> None:
    keys = {item.cause_key for item in replayed.found if item.cause_key is not None}

    often = {key: len(replayed.with_cause(key)) for key in keys}

    assert max(often.values()) <= 4
    assert sum(count > 2 for count in often.values()) <= len(often) // 20
