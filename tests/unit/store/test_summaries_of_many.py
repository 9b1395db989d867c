"""The read model's rows of many repositories, made together."""

import random
from collections.abc import Collection

import pytest
from sqlalchemy import select

from support.images import a_layer, an_image
from support.of_one import refresh_if_stale
from support.seeds import seeds
from support.statements import counted
from support.store_world import World
from support.summary_histories import PLATFORMS, History
from weighbridge.store.models import repository_summaries
from weighbridge.store.models.types import LARGEST
from weighbridge.store.read_model.summaries import FEW_TAGS, refresh_many, summarize
from weighbridge.store.session import Connection, Database
from weighbridge.store.tags.applying import Move, apply_moves

pytestmark = pytest.mark.slow

REGISTRIES = ("near", "near", "far", "far", "near")


@pytest.mark.long_on("postgresql")  # histories of summaries have it
@pytest.mark.parametrize("seed", seeds(0, 10, quick=2))
def test_many_rows_made_together_are_those_made_one_by_one_and_from_scratch(
    database: Database, seed: int
) -> None:
    rnd = random.Random(seed)  # noqa: S311 - no secret
    history = History(database, rnd, REGISTRIES)
    make_large(history.worlds[0])
    ids = [world.repository_id for world in history.worlds]

    for _ in range(15):
        for _ in range(rnd.randrange(1, 6)):
            world = history.step()
        now = world.now
        some = rnd.sample(ids, rnd.randrange(1, len(ids) + 1))

        with database.write() as connection:
            tried = connection.begin_nested()
            singles = {
                n for n in some if refresh_if_stale(connection, n, now, PLATFORMS)
            }
            one_by_one = rows(connection, ids)
            tried.rollback()
            made = refresh_many(connection, some, now, PLATFORMS)
            together = rows(connection, ids)
            anew = {n: summarize(connection, n, now, PLATFORMS) for n in some}

        assert made == singles
        assert together == one_by_one
        for number in some:
            del anew[number]["is_stale"]
            assert anew[number].items() <= together[number].items()


def test_sums_beyond_64_bits_are_bounded_for_each_repository(
    database: Database,
) -> None:
    huge, small = an_image([a_layer("huge", LARGEST)]), an_image([a_layer("s", 10)])
    worlds = [World(database, repository=f"acme/{n}") for n in range(2)]
    worlds[0].keep(huge, small)
    for world, image in zip(worlds, (huge, small), strict=True):
        with database.write() as connection:
            moves = [Move(name, image.digest, None) for name in ("a", "b")]
            apply_moves(connection, world.claimed(connection), moves, world.now)
    ids = [world.repository_id for world in worlds]

    with database.write() as connection:
        refresh_many(connection, ids, worlds[0].now, PLATFORMS)
        found = rows(connection, ids)

    sums = [found[number]["referenced_bytes"] for number in ids]
    stored_bytes = (
        10 + small.manifest.config.content_bytes + small.manifest.manifest_bytes
    )
    assert sums == [LARGEST, 2 * stored_bytes]


@pytest.mark.only_on("sqlite")
def test_more_repositories_cost_no_more_statements(database: Database) -> None:
    worlds = [World(database, repository=f"acme/{n}") for n in range(40)]
    for number, world in enumerate(worlds):
        image = an_image([a_layer(number, 100 + number)])
        world.keep(image)
        with database.write() as connection:
            moves = [Move("latest", image.digest, None)]
            apply_moves(connection, world.claimed(connection), moves, world.now)
    ids = [world.repository_id for world in worlds]
    now = worlds[0].now

    with database.write() as connection, counted() as of_one:
        refresh_many(connection, ids[:1], now, PLATFORMS)
    with database.write() as connection, counted() as of_all:
        made = refresh_many(connection, ids, now, PLATFORMS)

    assert made == set(ids[1:])
    assert len(of_all) <= len(of_one) + 2
    assert len(of_one) <= 16


def make_large(world: World) -> None:
    """So many tags that they are not read with those of others."""
    images = [an_image([a_layer(("large", n), n + 1)]) for n in range(20)]
    count = FEW_TAGS + 30
    world.crawl({f"nightly-{n}": images[n % len(images)] for n in range(count)})


def rows(connection: Connection, ids: Collection[int]) -> dict[int, dict[str, object]]:
    """All columns of the rows."""
    found = connection.execute(
        select(repository_summaries).where(
            repository_summaries.c.repository_id.in_(ids)
        )
    )
    return {row.repository_id: dict(row._mapping) for row in found}
