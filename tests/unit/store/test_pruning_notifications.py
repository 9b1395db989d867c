"""What was told is kept for a while, and for as long as something needs it."""

from datetime import timedelta

from sqlalchemy import func, select

from support.outbox_world import OutboxWorld
from support.store_world import T0
from weighbridge.store.maintenance.pruning import prune_notifications
from weighbridge.store.models import notification_groups, violations
from weighbridge.store.session import Database

DAY = timedelta(days=1)
KEPT = 90 * DAY


def pruned(database: Database, days: int) -> int:
    return prune_notifications(database, KEPT, T0 + days * DAY, lambda: False)


def left(database: Database) -> tuple[int, int]:
    with database.read() as connection:
        rows = connection.execute(select(func.count()).select_from(violations))
        groups = connection.execute(
            select(func.count()).select_from(notification_groups)
        )
        return rows.scalar_one(), groups.scalar_one()


def test_what_is_over_goes_after_its_time_with_its_group(database: Database) -> None:
    outbox = OutboxWorld(database)
    one = outbox.opened()
    outbox.sent(T0)
    outbox.closed(one, now=T0 + DAY)
    outbox.sent(T0 + DAY)

    assert pruned(database, 91) == 0
    assert pruned(database, 92) == 1

    assert outbox.kept() == []
    assert left(database) == (0, 0)


def test_what_is_open_keeps_what_was_told_of_it(database: Database) -> None:
    outbox = OutboxWorld(database)
    one = outbox.opened()
    outbox.sent(T0)

    assert pruned(database, 1_000) == 0

    # Its end is told wherever its beginning was.
    assert outbox.closed(one, now=T0 + 1_000 * DAY) == 1


def test_what_waits_to_be_told_is_left(database: Database) -> None:
    outbox = OutboxWorld(database)
    one = outbox.opened()
    outbox.sent(T0)
    outbox.closed(one, now=T0 + DAY)

    assert pruned(database, 1_000) == 0
    assert outbox.sent(T0 + 1_000 * DAY) is not None


def test_the_next_violation_makes_its_group_anew(database: Database) -> None:
    outbox = OutboxWorld(database)
    one = outbox.opened()
    outbox.closed(one, now=T0)
    outbox.sent(T0)
    pruned(database, 91)

    other = outbox.opened(now=T0 + 92 * DAY)

    sent = outbox.sent(T0 + 92 * DAY)
    assert sent is not None
    assert sent.notices == ((other, "opened"),)


def test_many_go_in_pieces_and_it_may_be_stopped(database: Database) -> None:
    outbox = OutboxWorld(database, ())
    ids = [outbox.opened() for _ in range(20)]
    outbox.closed(*ids, now=T0)

    assert prune_notifications(database, KEPT, T0 + 91 * DAY, lambda: True) == 0
    assert prune_notifications(database, None, T0 + 91 * DAY, lambda: False) == 0
    assert pruned(database, 91) == 20
