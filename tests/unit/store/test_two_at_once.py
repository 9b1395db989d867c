"""Two processes at the same rows, on PostgreSQL: neither undoes the other."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from support.images import OCI_INDEX, a_digest, a_layer, an_image, some_layers
from support.of_one import refresh_if_stale
from support.store_world import T0, World
from weighbridge.domain.access.roles import digest_of
from weighbridge.domain.image.document import Child, Descriptor, Index, Problem
from weighbridge.domain.image.platform import DEFAULT
from weighbridge.errors import StoreError
from weighbridge.store.access import NewToken, add_token
from weighbridge.store.facts.images import keep_configs, keep_documents
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.maintenance.checking.verify import verify
from weighbridge.store.models import blobs
from weighbridge.store.session import Database
from weighbridge.store.tags.applying import Move, apply_moves

pytestmark = pytest.mark.only_on("postgresql")

LONG_ENOUGH_S = 0.5
"""For a statement that waits for nobody."""


ELSEWHERE = an_image([a_layer("m", 700, is_foreign=True)])
HERE = an_image([a_layer("m", 900)])


def an_index_of_what_is_elsewhere(world: World) -> Index:
    """One tag leads to it: it lists the layer as a manifest, which nobody can read."""
    (layer,) = ELSEWHERE.layers
    child = Child(Descriptor(layer.media_type, layer.digest, 700), "image")
    index = Index(a_digest("index"), OCI_INDEX, 300, (child,))
    world.keep(ELSEWHERE)
    world.keep(index, missing={layer.digest: "not_found"})
    world.crawl({"multi": index})
    return index


@contextmanager
def beside(call: Callable[[], None]) -> Iterator[threading.Thread]:
    """`call` on a thread of its own, ended when the block ends."""
    thread = threading.Thread(target=call)
    thread.start()
    yield thread
    thread.join(20)
    assert not thread.is_alive()


def test_a_batch_beside_a_refresh_is_not_written_over(database: Database) -> None:
    world = World(database)
    first, second = an_image(some_layers(1)), an_image(some_layers(2, name="b"))
    world.crawl({"v1": first})
    with database.write() as connection:
        claim = world.claimed(connection)
        keep_documents(connection, [second], {})
        apply_moves(connection, claim, [Move("v2", second.digest, None)], world.now)

    def batch() -> None:
        with database.write() as other:
            move = Move("v3", second.digest, None)
            apply_moves(other, world.claimed(other), [move], world.now)

    with database.write() as connection:
        refresh_if_stale(connection, world.repository_id, world.now, [DEFAULT])
        waiting = threading.Thread(target=batch)
        waiting.start()
        waiting.join(LONG_ENOUGH_S)
        has_waited = waiting.is_alive()
    waiting.join(20)

    assert has_waited
    assert world.report().tags == 3
    assert list(verify(database, {}, world.now, lambda *_: None)) == []


def test_a_size_that_comes_late_beside_a_refresh_is_counted(
    database: Database,
) -> None:
    world = World(database)
    index = an_index_of_what_is_elsewhere(world)
    with database.write() as connection:
        move = Move("again", index.digest, None)
        apply_moves(connection, world.claimed(connection), [move], world.now)

    def refresh() -> None:
        with database.write() as other:
            refresh_if_stale(other, world.repository_id, world.now, [DEFAULT])

    with database.write() as connection:
        keep_documents(connection, [HERE], {})
        waiting = threading.Thread(target=refresh)
        waiting.start()
        waiting.join(LONG_ENOUGH_S)
    waiting.join(20)
    settle_all(database)
    refresh()

    # Documents disagree about it, and nobody has asked the registry.
    assert world.report().referenced_bytes == 2 * 300


def test_a_size_that_comes_late_and_a_batch_do_not_wait_for_each_other(
    database: Database,
) -> None:
    world = World(database)
    index = an_index_of_what_is_elsewhere(world)
    # It holds as a layer, too, what its index lists.
    world.crawl({"elsewhere": ELSEWHERE})
    failed: list[StoreError] = []

    def resize() -> None:
        try:
            world.keep(HERE)
        except StoreError as exc:
            failed.append(exc)

    with database.write() as connection:
        claim = world.claimed(connection)
        waiting = threading.Thread(target=resize)
        waiting.start()
        waiting.join(LONG_ENOUGH_S)
        apply_moves(connection, claim, [Move("a", index.digest, None)], world.now)
    waiting.join(20)

    assert failed == []


def test_a_batch_beside_a_config_that_comes_late_is_summed_up_with_it(
    database: Database,
) -> None:
    world = World(database)
    image = replace(an_image(created_at=T0), diff_ids=())
    world.keep(replace(image, created_at=None, problems=(Problem("x", "not today"),)))

    def keep() -> None:
        with database.write() as other:
            keep_configs(other, [image])

    with database.write() as connection:
        move = Move("v1", image.digest, None)
        apply_moves(connection, world.claimed(connection), [move], world.now)
        refresh_if_stale(connection, world.repository_id, world.now, [DEFAULT])
        waiting = threading.Thread(target=keep)
        waiting.start()
        waiting.join(LONG_ENOUGH_S)
    waiting.join(20)
    with database.write() as connection:
        refresh_if_stale(connection, world.repository_id, world.now, [DEFAULT])

    assert list(verify(database, {}, world.now, lambda *_: None)) == []


def test_a_claim_that_meets_a_row_of_the_same_moment_completes_it(
    database: Database,
) -> None:
    World(database)
    layer = a_layer("shared", 5_000)
    is_there, may_commit = threading.Event(), threading.Event()

    def name_it_only() -> None:
        with database.write() as connection:
            keep_documents(connection, [], {layer.digest: "child_missing"})
            is_there.set()
            may_commit.wait(20)

    def keep_image() -> None:
        with database.write() as connection:
            keep_documents(connection, [an_image([layer])], {})

    with beside(name_it_only):
        assert is_there.wait(20)
        with beside(keep_image):
            # It looks, sees nothing, inserts, and waits for the other's commit.
            time.sleep(LONG_ENOUGH_S)
            may_commit.set()

    statement = select(blobs.c.compressed_bytes, blobs.c.is_layer).where(
        blobs.c.digest == layer.digest
    )
    with database.read() as connection:
        assert tuple(connection.execute(statement).one()) == (5_000, True)


def test_tokens_that_are_made_at_once_have_names_of_their_own(
    database: Database,
) -> None:
    names: list[str] = []

    def add(secret: str) -> None:
        new = NewToken(None, "read", digest_of(secret), None)
        with database.write() as connection:
            token = add_token(connection, new, T0)
        names.append("taken" if token is None else token.name)

    first = NewToken(None, "read", digest_of("first"), None)
    with database.write() as connection:
        add_token(connection, first, T0)
        second = threading.Thread(target=add, args=("second",))
        second.start()
        second.join(LONG_ENOUGH_S)
    second.join(20)

    assert names == ["read-2"]
