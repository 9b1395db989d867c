"""Random histories: the ledger says what brute force says, after every step."""

import random

import pytest

from support.brute_force import counted, stored
from support.ledger_world import Fleet, History, TwoEntries
from support.seeds import seeds
from weighbridge.store.ledger.holdings import settle_all, settle_waiting
from weighbridge.store.session import Database

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("scope", ["project", "registry", "repository"])
@pytest.mark.parametrize("seed", seeds(0, 4, quick=1))
def test_the_ledger_equals_brute_force_after_every_step_of_a_random_history(
    database: Database, seed: int, scope: str
) -> None:
    history = History(Fleet(database, scope=scope), random.Random(seed))  # noqa: S311 - no secret

    for _ in range(60):
        history.step()
        settle_all(database)

        assert counted(database) == stored(database)


@pytest.mark.parametrize("seed", seeds(100, 4, quick=1))
def test_what_waits_for_the_settler_is_right_once_it_has_been_settled(
    database: Database, seed: int
) -> None:
    rnd = random.Random(seed)  # noqa: S311 - no secret
    history = History(Fleet(database), rnd)

    for _ in range(80):
        history.step()
        if rnd.random() < 0.1:
            settle_waiting(database)
    settle_all(database)

    assert counted(database) == stored(database)


@pytest.mark.long_on("postgresql")  # the first test has its statements
@pytest.mark.parametrize("scope", ["project", "registry"])
@pytest.mark.parametrize("seed", seeds(200, 4, quick=1))
def test_entries_of_one_address_keep_each_blob_once(
    database: Database, seed: int, scope: str
) -> None:
    rnd = random.Random(seed)  # noqa: S311 - no secret
    history = History(TwoEntries(database, scope=scope, rnd=rnd), rnd, upkeep=0.03)

    for _ in range(60):
        history.step()
        settle_all(database)

        assert counted(database) == stored(database)
