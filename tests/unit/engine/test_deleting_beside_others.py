"""A repository that another process finds just before we mark it deleted."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from support.database import Engine, a_database
from support.images import a_layer, an_image
from support.policies import NO_JUDGING
from support.store_world import World, a_result
from weighbridge.domain.report.inventory import RepositoryState
from weighbridge.engine.context.parts import Scope
from weighbridge.engine.crawl.registry.after_crawls import Catalog, MissingRepositories
from weighbridge.engine.writer.writer import Writer
from weighbridge.store.models import repositories
from weighbridge.store.registries.repository_rows import note_listed

IMAGE = an_image([a_layer()])
_AT_THE_CLAIM = 2
"""The clock is read for what is missing, then for the claim."""


class BusyClock:
    """Reads as a clock does; at one moment another process ends a crawl."""

    def __init__(self, world: World, found: RepositoryState) -> None:
        self._world = world
        self._found = found
        self._reads = 0

    def __call__(self) -> datetime:
        self._reads += 1
        if self._reads == _AT_THE_CLAIM:
            self._world.crawl(result=a_result(state=self._found, complete=False))
        return self._world.now + timedelta(days=1)


@pytest.mark.parametrize(
    ("found", "state", "live"),
    [("ok", "ok", 2), ("partial", "partial", 2), ("missing", "deleted", 0)],
)
async def test_what_another_process_finds_before_our_claim_keeps_its_tags(
    tmp_path: Path, engine: Engine, found: RepositoryState, state: str, live: int
) -> None:
    with a_database(tmp_path, engine) as database:
        world = World(database)
        with database.write() as connection:
            note_listed(connection, world.registry_id, [world.repository])
        world.crawl({"1": IMAGE, "2": IMAGE})
        world.crawl(result=a_result(state="missing", complete=False))
        writer = Writer(database)
        try:
            clock = BusyClock(world, found)
            await MissingRepositories(
                writer,
                world.registry_id,
                Catalog(("other",), False, world.now, None),
                Scope(),
                lambda: NO_JUDGING,
                clock,
            ).delete()
        finally:
            writer.close()

        report = world.report()
        assert (report.state, report.tags) == (state, live)
        assert sum(tag.deleted_at is None for tag in world.tags().values()) == live
        assert_free(world)


def assert_free(world: World) -> None:
    """The claim was given back, and does not have to run out."""
    with world.database.read() as connection:
        lease = connection.execute(select(repositories.c.lease_until)).scalar_one()
    assert lease is None
