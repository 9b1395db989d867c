"""F38 at length: twenty kills between sending and noting it."""

from pathlib import Path

import pytest

from support.database import Engine, a_database_url
from support.killed_deliveries import HOOK, one_round
from support.message_sink import message_sink
from support.outbox_world import OutboxWorld
from weighbridge.store.session import open_database

ROUNDS = 20


@pytest.mark.timeout(1200)
def test_f38_twenty_kills_lose_nothing_and_repeat_at_most_one_message_each(
    tmp_path: Path, engine: Engine
) -> None:
    repeated = 0
    with a_database_url(tmp_path, engine) as url, message_sink() as sink:
        database = open_database(url)
        outbox = OutboxWorld(database, (HOOK,))
        for number in range(ROUNDS):
            found = one_round(tmp_path, url, sink, outbox, number)

            assert found.keys.count(found.before[0]) in (1, 2), found
            assert len(set(found.keys)) == 2, found
            assert found.events[-1] == "resolved", found
            repeated += len(found.keys) - 2
        database.close()
    print(f"{engine}: {repeated} of {ROUNDS} messages came twice")
    # Half of the kills come before the answer: these cannot be known to have arrived.
    assert repeated >= ROUNDS // 2
