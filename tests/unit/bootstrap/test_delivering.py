"""Whoever finds something wakes what delivers: often, and it reads a few times."""

from datetime import datetime
from pathlib import Path

from support.database import a_database
from support.store_world import T0
from support.wait import wait_until
from weighbridge.bootstrap.engine.assembly import Delivering
from weighbridge.config import Settings
from weighbridge.domain.text.printable import Secret
from weighbridge.telemetry import Telemetry

SETTINGS = Settings(database_url=Secret("sqlite:///w.db"))


async def test_it_is_woken_two_hundred_times_and_reads_twice(tmp_path: Path) -> None:
    readings: list[datetime] = []

    def clock() -> datetime:
        readings.append(T0)
        return T0

    with a_database(tmp_path) as database:
        telemetry = Telemetry()
        delivering = Delivering(SETTINGS, database, telemetry, clock)

        delivering.wake()
        await wait_until(lambda: bool(readings), "the first reading has begun")
        for _ in range(200):
            delivering.wake()
        await delivering.aclose()

    assert len(readings) == 2
