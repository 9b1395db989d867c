"""F38: killed between sending and noting it, a message comes twice at most."""

from dataclasses import replace
from pathlib import Path

import pytest

from support.database import Engine, a_database_url
from support.killed_deliveries import HOOK, one_round
from support.message_sink import message_sink
from support.outbox_world import OutboxWorld
from weighbridge.store.session import open_database

ROUNDS = 3
# So that its end need not wait for five minutes.
SOON = replace(HOOK, group_interval_s=1)


@pytest.mark.timeout(240)
def test_f38_killed_after_sending_it_is_told_again_under_the_same_key(
    tmp_path: Path, engine: Engine
) -> None:
    check(tmp_path, engine, ROUNDS)


def check(folder: Path, engine: Engine, rounds: int) -> None:
    with a_database_url(folder, engine) as url, message_sink() as sink:
        database = open_database(url)
        outbox = OutboxWorld(database, (SOON,))
        for number in range(rounds):
            found = one_round(folder, url, sink, outbox, number)

            first = found.before[0]
            assert found.before == [first]
            # Once, or once more: nobody can know whether it had arrived.
            assert found.keys.count(first) in (1, 2), found
            # Its end is told behind it, and everything else once.
            assert found.events[-1] == "resolved", found
            assert found.events.count("resolved") == 1, found
            assert len(found.keys) == found.keys.count(first) + 1
        database.close()
