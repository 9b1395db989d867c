"""F38: killed between sending and noting it, a message comes twice. Twenty kills, at
moments by chance: tests/load/test_kill_deliveries.py."""

from pathlib import Path

import pytest

from support.database import Engine, a_database_url
from support.killed_deliveries import HOOK, one_round
from support.message_sink import message_sink
from support.outbox_world import OutboxWorld
from weighbridge.store.session import open_database

BEFORE_THE_ANSWER = 1


@pytest.mark.timeout(120)
def test_f38_killed_after_sending_it_is_told_again_under_the_same_key(
    tmp_path: Path, engine: Engine
) -> None:
    with a_database_url(tmp_path, engine) as url, message_sink() as sink:
        database = open_database(url)
        outbox = OutboxWorld(database, (HOOK,))

        found = one_round(tmp_path, url, sink, outbox, BEFORE_THE_ANSWER)

        database.close()
    first, again, end = found.keys
    assert found.before == [first]
    assert again == first
    # Its end is told behind it.
    assert end != first
    assert found.events == ["opened", "opened", "resolved"]
