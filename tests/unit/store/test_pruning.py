"""What is pruned, and what must stay."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from support.answering import sweep
from support.brute_force import counted, stored
from support.images import a_layer, an_image, an_index_of
from support.ledger_world import Fleet
from support.store_world import World
from weighbridge.domain.image.document import Document
from weighbridge.domain.limits import Retention
from weighbridge.store.bases.base_names import (
    WrittenRepository,
    build_of,
    note_names,
)
from weighbridge.store.facts.blobs import find_blobs
from weighbridge.store.facts.images import find_known
from weighbridge.store.facts.interned import platform_ids
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.maintenance.checking.verify import verify
from weighbridge.store.maintenance.pruning import Pruned, prune
from weighbridge.store.models import images, storage_scopes
from weighbridge.store.session import Database

BASE = a_layer("base", 5000)
OLD = an_image([BASE, a_layer("old", 100)])
NEW = an_image([BASE, a_layer("new", 200)])
CHILD = an_image([a_layer("child", 300)])
INDEX = an_index_of(CHILD)
NOTHING = Pruned(0, 0, 0)


@pytest.fixture
def fleet(database: Database) -> Fleet:
    """Three days on: `latest` moved from OLD to NEW, `multi` is gone."""
    fleet = Fleet(database)
    fleet.keep(OLD, NEW, CHILD, INDEX)
    fleet.push("one/a", latest=OLD, multi=INDEX)
    fleet.push("one/a", latest=NEW, multi=None)
    fleet.now += timedelta(days=3)
    settle_all(database)
    return fleet


def known(fleet: Fleet, *documents: Document) -> list[bool]:
    with fleet.database.read() as connection:
        found = find_known(connection, [d.digest for d in documents])
    return [document.digest in found for document in documents]


def digests(fleet: Fleet) -> set[str]:
    """Of all blobs that are stored."""
    with fleet.database.read() as connection:
        rows = connection.execute(text("SELECT digest FROM blobs")).scalars()
        return {f"sha256:{bytes(raw).hex()}" for raw in rows}


def rows(fleet: Fleet, table: str) -> int:
    with fleet.database.read() as connection:
        query = text(f"SELECT count(*) FROM {table}")  # noqa: S608
        count: int = connection.execute(query).scalar_one()
    return count


def assert_right(fleet: Fleet) -> None:
    settle_all(fleet.database)
    assert counted(fleet.database) == stored(fleet.database)
    assert list(verify(fleet.database, {}, fleet.now, lambda *_: None)) == []


def test_what_no_tag_led_to_for_long_loses_its_layers_and_lines(fleet: Fleet) -> None:
    pruned = fleet.prune(days=2)

    assert known(fleet, OLD, NEW, CHILD, INDEX) == [False, True, False, False]
    # OLD's own layer, and CHILD's: BASE is NEW's too, and configs are history's.
    assert pruned == Pruned(crawls=0, manifests=3, blobs=2)
    assert rows(fleet, "lines") == 1
    assert rows(fleet, "layers") == 2
    gone = {OLD.layers[1].digest, CHILD.layers[0].digest}
    assert gone.isdisjoint(digests(fleet))
    assert BASE.digest in digests(fleet)
    assert_right(fleet)


def test_the_history_of_a_tag_keeps_its_targets_and_their_sizes(fleet: Fleet) -> None:
    moves = rows(fleet, "tag_moves")

    fleet.prune(days=2)

    assert rows(fleet, "tag_moves") == moves == 3
    assert rows(fleet, "images") == 3
    assert rows(fleet, "index_members") == 1
    assert {OLD.digest, INDEX.digest, CHILD.digest} <= digests(fleet)


def test_what_a_tag_led_to_until_lately_stays_whole(fleet: Fleet) -> None:
    assert fleet.prune(days=10) == NOTHING
    assert known(fleet, OLD, NEW, CHILD, INDEX) == [True] * 4


def test_what_was_pruned_is_pruned_once(fleet: Fleet) -> None:
    fleet.prune(days=2)

    assert fleet.prune(days=2) == NOTHING


def test_a_pruned_image_that_returns_is_what_it_was(fleet: Fleet) -> None:
    fleet.push("one/b", again=OLD, multi=INDEX)
    settle_all(fleet.database)
    before = stored(fleet.database)
    fleet.push("one/b", again=None, multi=None)
    fleet.now += timedelta(days=30)
    assert fleet.prune(days=2).manifests == 3

    fleet.keep(OLD, CHILD, INDEX)
    fleet.push("one/b", again=OLD, multi=INDEX)
    settle_all(fleet.database)

    # Layers that had gone have new ids, nothing else differs.
    for table in ("repository_summaries", "storage_scopes", "repository_manifests"):
        assert stored(fleet.database)[table] == before[table]
    assert_right(fleet)


def test_a_tag_may_return_to_what_has_just_been_pruned(fleet: Fleet) -> None:
    fleet.prune(days=2)

    fleet.push("one/b", image=OLD, multi=INDEX)
    settle_all(fleet.database)

    assert counted(fleet.database) == stored(fleet.database)
    fleet.keep(OLD, CHILD, INDEX)
    settle_all(fleet.database)
    assert counted(fleet.database) == stored(fleet.database)


def test_a_pruned_image_is_given_no_total_of_layers_that_it_lacks(
    fleet: Fleet,
) -> None:
    fleet.prune(days=2)

    with fleet.database.read() as connection:
        (scope_id, *_) = connection.execute(select(storage_scopes.c.id)).scalars()
        assert len(connection.execute(select(images.c.id)).all()) == 3
    assert sweep(fleet.database, scope_id, fleet.now).count == 0


def test_what_no_history_knows_goes_whole_after_a_day(fleet: Fleet) -> None:
    alone = an_image([a_layer("alone", 700)])
    fleet.keep(alone)
    assert fleet.prune() == NOTHING

    # How old it is, is known from what came after it.
    young = an_image([a_layer("young", 1)])
    fleet.keep(young)
    fleet.push("one/c", later=young)
    fleet.now += timedelta(days=2)

    pruned = fleet.prune()
    assert (pruned.manifests, pruned.blobs) == (1, 2)
    assert {alone.digest, alone.layers[0].digest}.isdisjoint(digests(fleet))
    assert_right(fleet)


def test_nothing_is_pruned_that_is_to_be_kept_for_ever(fleet: Fleet) -> None:
    kept_for_ever = Retention(crawls=None, untagged_images=None)

    assert prune(fleet.database, kept_for_ever, fleet.now) == NOTHING


def test_pruning_that_is_stopped_goes_on_the_next_time(fleet: Fleet) -> None:
    retention = Retention(timedelta(days=2), timedelta(days=2))
    answers = iter([False, False, True])

    stopped = prune(
        fleet.database, retention, fleet.now, is_stopped=lambda: next(answers, True)
    )

    assert stopped.blobs == 0
    assert_right(fleet)
    assert fleet.prune(days=2).blobs == 2
    assert known(fleet, OLD, NEW) == [False, True]


def test_the_id_of_a_pruned_blob_is_never_given_again(fleet: Fleet) -> None:
    fleet.prune(days=2)
    with fleet.database.read() as connection:
        last = connection.execute(text("SELECT max(id) FROM blobs")).scalar_one()

    fleet.keep(an_image([a_layer("fresh", 9)]))

    with fleet.database.read() as connection:
        query = text("SELECT min(id) FROM blobs WHERE compressed_bytes = 9")
        assert connection.execute(query).scalar_one() > last


def test_old_crawls_go_but_the_last_one_of_a_repository_stays(
    database: Database,
) -> None:
    world = World(database)
    for _ in range(4):
        world.crawl({"latest": NEW})  # a day each
    retention = Retention(timedelta(days=1, hours=12), None)

    pruned = prune(database, retention, world.now)
    much_later = prune(database, retention, world.now + timedelta(days=99))

    assert (pruned.crawls, much_later.crawls) == (2, 1)
    with database.read() as connection:
        left = connection.execute(text("SELECT id FROM crawls")).scalars().all()
    assert left == [4]


def test_what_a_bases_name_leads_to_stays_whole(fleet: Fleet) -> None:
    base, later = an_image([BASE]), an_image([a_layer("later", 1)])
    fleet.keep(base)
    fleet.keep(later)
    place = WrittenRepository("docker.io", "library/debian")
    with fleet.database.write() as connection:
        number = find_blobs(connection, [base.digest])[base.digest].id
        platforms = platform_ids(connection, [base.platform])
        build = build_of(base, number, platforms[base.platform], None)
        assert build is not None
        note_names(connection, {place: {"12": [build]}}, fleet.now)
    fleet.push("one/b", later=later)
    fleet.now += timedelta(days=30)
    fleet.prune(days=2)
    leads_there = known(fleet, base)
    with fleet.database.write() as connection:
        note_names(connection, {place: {"12": []}}, fleet.now)
    fleet.prune(days=2)

    assert leads_there == [True]
    assert known(fleet, base) == [False]
    assert rows(fleet, "base_names") == 1
    assert_right(fleet)
