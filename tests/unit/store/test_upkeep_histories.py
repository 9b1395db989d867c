"""Random histories in which repositories are forgotten and facts pruned: the ledger
says what brute force says, and `verify` finds nothing."""

import random

import pytest

from support.brute_force import counted, stored
from support.ledger_world import Fleet, History
from support.seeds import seeds
from weighbridge.domain.image.platform import DEFAULT
from weighbridge.store.ledger.holdings import settle_all, settle_waiting
from weighbridge.store.maintenance.checking.verify import verify
from weighbridge.store.read_model.summaries import refresh_summary
from weighbridge.store.session import Database

pytestmark = pytest.mark.slow


@pytest.mark.long_on("postgresql")  # pruning beside crawls has it
@pytest.mark.parametrize("scope", ["project", "registry", "repository"])
@pytest.mark.parametrize("seed", seeds(500, 4, quick=1))
def test_the_ledger_stays_right_while_repositories_are_forgotten_and_facts_pruned(
    database: Database, seed: int, scope: str
) -> None:
    rnd = random.Random(seed)  # noqa: S311 - no secret
    history = History(Fleet(database, scope=scope), rnd, upkeep=0.15)

    for step in range(100):
        history.step()
        if rnd.random() < 0.3:
            settle_waiting(database)
        if step % 10 == 9:
            settle_all(database)
            assert counted(database) == stored(database)
            assert _differences(history.fleet) == []


def _differences(fleet: Fleet) -> list[object]:
    with fleet.database.write() as connection:
        for repository in fleet.ids.values():
            refresh_summary(connection, repository, fleet.now, [DEFAULT])
    return list(verify(fleet.database, {}, fleet.now, lambda *_: None))
