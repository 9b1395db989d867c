"""What waits to be measured, and who holds a blob, are found by keys: the cost follows
what is asked for and not the tables, whether SQLite knows their sizes or not."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, insert, select, text

from support.answering import as_claimed
from support.images import a_layer, an_image
from support.sqlite_steps import steps
from support.store_world import T0, World
from weighbridge.domain.image.document import Image
from weighbridge.domain.size.confidence import Uncompressed
from weighbridge.store.ledger.scopes import find_held, find_holders, find_scopes
from weighbridge.store.models import (
    images,
    repository_blobs,
    scope_blobs,
    storage_scopes,
)
from weighbridge.store.session import Database
from weighbridge.store.sizes.blob_sizes import keep_measures
from weighbridge.store.sizes.manifest_sizes import sweep_manifests
from weighbridge.store.sizes.unmeasured import (
    START,
    unmeasured_blobs,
    waiting_manifests,
)

pytestmark = [pytest.mark.only_on("sqlite"), pytest.mark.slow]


@pytest.fixture(params=[False, True], ids=["no statistics", "analyzed"])
def finish(request: pytest.FixtureRequest, database: Database) -> Callable[[], None]:
    """Once the rows are there."""

    def analyze() -> None:
        if request.param:
            with database.write() as connection:
                connection.execute(text("ANALYZE"))

    return analyze


def some_images(count: int, name: str) -> dict[str, Image]:
    """By tags; each has a layer of its own, and one that all of `name` have."""
    base = a_layer(f"{name} base", 7)
    return {
        f"{name}{n}": an_image([base, a_layer(f"{name} {n}", 1_000 + n)])
        for n in range(count)
    }


def walk(connection: Connection, registry_id: int, most: int = 100) -> int:
    """All that waits in a registry; how many layers that are."""
    found, place = 0, START
    while places := waiting_manifests(connection, registry_id, place, most):
        found += len(unmeasured_blobs(connection, places, 10_000, T0))
        place = places[-1]
    return found


def test_what_waits_elsewhere_or_is_untagged_costs_nothing(
    world: World, finish: Callable[[], None]
) -> None:
    other = World(world.database, registry="other", repository="acme/much")
    world.crawl(some_images(20, "mine"))
    finish()
    before = steps(world.database, lambda c: walk(c, world.registry_id))
    other.crawl(some_images(400, "theirs"))
    world.keep(*some_images(400, "untagged").values())
    finish()

    after = steps(world.database, lambda c: walk(c, world.registry_id))

    assert before > 0
    assert after <= 1.2 * before + 2
    with world.database.read() as connection:
        assert walk(connection, world.registry_id) == 21
        assert walk(connection, other.registry_id, 1_000) == 401


def test_a_walk_costs_each_image_once(world: World, finish: Callable[[], None]) -> None:
    world.crawl(some_images(200, "a"))
    finish()
    few = steps(world.database, lambda c: walk(c, world.registry_id, 50))
    world.crawl(some_images(600, "b"))
    finish()

    many = steps(world.database, lambda c: walk(c, world.registry_id, 50))

    assert few < many <= 4.4 * few


def test_a_sweep_costs_what_it_is_given(
    world: World, finish: Callable[[], None]
) -> None:
    def sweep(connection: Connection) -> None:
        assert sweep_manifests(connection, scope_id, ids, T0).count == 0

    scope_id = world.scope_id
    world.crawl(some_images(20, "a"))
    with world.database.read() as connection:
        ids = connection.execute(select(images.c.id)).scalars().all()
    finish()
    before = steps(world.database, sweep)
    world.crawl(some_images(400, "b"))
    finish()

    assert len(ids) == 20
    assert before > 0
    assert steps(world.database, sweep) <= 1.2 * before + 2


@pytest.mark.parametrize("find", [find_held, find_scopes, find_holders])
def test_who_holds_a_blob_costs_the_same_in_a_hundred_times_as_many_scopes(
    world: World,
    finish: Callable[[], None],
    find: Callable[[Connection, list[int]], object],
) -> None:
    add_scopes(world, 10, range(30))
    finish()
    few = steps(world.database, lambda c: find(c, [10_029]))
    add_scopes(world, 1_000, range(29))
    finish()

    assert steps(world.database, lambda c: find(c, [10_029])) <= 1.2 * few + 2
    with world.database.read() as connection:
        assert len(find_scopes(connection, [10_029, 10_000])) == 1_010
        assert len(find_holders(connection, [10_029])) == 10
        assert find_held(connection, [10_029, 9_999]) == {10_029}


def add_scopes(world: World, count: int, blob_ids: range) -> None:
    """Each holds all of these blobs."""
    with world.database.write() as connection:
        first = connection.execute(text("SELECT max(id) + 1 FROM storage_scopes"))
        scopes = range(start := first.scalar_one(), start + count)
        connection.execute(
            insert(storage_scopes),
            [
                {
                    "id": scope,
                    "registry_id": world.registry_id,
                    "name": f"s{scope}",
                    "image_count": 0,
                    "weighed_bytes": 0,
                    "deduplicated_bytes": 0,
                    "shared_bytes": 0,
                    "revision": 0,
                }
                for scope in scopes
            ],
        )
        held = [
            {
                "scope_id": scope,
                "blob_id": 10_000 + blob,
                "repository_id": scope,
                "sole_repository_id": scope,
                "manifest_count": 1,
            }
            for scope in scopes
            for blob in blob_ids
        ]
        connection.execute(insert(repository_blobs), held)
        connection.execute(insert(scope_blobs), held)


def test_an_image_whose_layers_are_all_measured_waits_for_its_total_only(
    world: World,
) -> None:
    world.crawl({"a": an_image([a_layer("one", 10)])})
    measure = Uncompressed("exact", 20, 20, 20)
    with world.database.write() as connection:
        sizes = {a_layer("one", 10).digest: measure}
        answers = as_claimed(connection, sizes)
        keep_measures(connection, world.scope_id, answers, world.now)
        places = waiting_manifests(connection, world.registry_id, START, 10)

        assert unmeasured_blobs(connection, places, 10, world.now) == []
        ids = [place.manifest_id for place in places]
        swept = sweep_manifests(connection, world.scope_id, ids, world.now)
        assert swept.count == 1
        assert waiting_manifests(connection, world.registry_id, START, 10) == []
