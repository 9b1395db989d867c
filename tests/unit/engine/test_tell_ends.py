"""A crawl by hand tells nobody of what it finds, but of the end of what was told."""

from pathlib import Path

from support.database import a_database
from support.outbox_world import OutboxWorld
from support.store_world import T0
from weighbridge.engine.judge.judged_batch import tell_ends


def test_a_crawl_by_hand_tells_ends_and_nothing_else(tmp_path: Path) -> None:
    with a_database(tmp_path) as database:
        outbox = OutboxWorld(database)
        told = outbox.opened("acme/told")
        outbox.sent(T0)
        found = outbox.opened("acme/found", routes=())

        with database.write() as connection:
            tell_ends(connection, [found], "opened", T0)
            tell_ends(connection, [told], "resolved", T0)

        assert [(row.violation_id, row.event) for row in outbox.kept()] == [
            (told, "opened"),
            (told, "resolved"),
        ]
