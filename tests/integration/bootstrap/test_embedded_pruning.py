"""The process that schedules prunes when it starts, and once a day then."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from support.database import a_database
from support.images import a_layer, an_image
from support.store_world import World
from support.wait import wait_in_thread
from weighbridge.bootstrap.embedded import Embedded
from weighbridge.bootstrap.pruning import EVERY
from weighbridge.config import load_settings
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Three passes over one repository, a day each."""
    with a_database(tmp_path) as database:
        world = World(database)
        for _ in range(3):
            world.look({"latest": an_image([a_layer("base", 5000)])})
        yield world


def passes(database: Database) -> int:
    with database.read() as connection:
        query = text("SELECT count(*) FROM passes")
        count: int = connection.execute(query).scalar_one()
    return count


class Clock:
    """Stands still until it is set."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def test_what_is_overdue_is_pruned_at_the_start_and_the_rest_a_day_later(
    world: World,
) -> None:
    database = world.database
    clock = Clock(world.now + timedelta(days=28, hours=12))
    embedded = Embedded(load_settings(None, {}), database, Telemetry(), clock=clock)

    embedded.start()
    try:
        wait_in_thread(
            lambda: passes(database) == 2,
            "one pass is older than 30 days",
        )
        clock.now += EVERY
        wait_in_thread(lambda: passes(database) == 1, "another one is by now")
    finally:
        embedded.close()
