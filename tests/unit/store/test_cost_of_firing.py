"""What an Alertmanager is told every minute is read from a day, not from years."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from support.outbox_world import OutboxWorld
from support.sqlite_steps import steps
from support.store_world import T0
from weighbridge.store.models import violations
from weighbridge.store.reports.violations import read_firing
from weighbridge.store.session import Connection, Database


def told(connection: Connection) -> list[int]:
    return [one.violation_id for one in read_firing(connection, T0, 10_000)]


@pytest.mark.only_on("sqlite")
def test_what_ended_long_ago_costs_who_is_told_of_today_nothing(
    database: Database,
) -> None:
    open_now = OutboxWorld(database).opened("acme/app")
    before = steps(database, told)
    with database.write() as connection:
        row = dict(connection.execute(select(violations)).mappings().one())
        del row["id"]
        old = {
            "opened_at": T0 - timedelta(days=400),
            "closed_at": T0 - timedelta(days=399),
            "closed_by": "pushed",
        }
        connection.execute(
            insert(violations),
            [row | old | {"stream": f"old {number}"} for number in range(2_000)],
        )

    after = steps(database, told)

    assert after <= before + 1
    with database.read() as connection:
        assert told(connection) == [open_now]
