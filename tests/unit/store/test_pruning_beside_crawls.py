"""Pruning while others keep facts, move tags and settle: no reference is left to what
is not there, and every total is right."""

import random
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from support.brute_force import counted, stored
from support.images import a_layer, an_image, an_index_of
from support.ledger_world import Fleet, Universe
from support.store_world import T0, World
from weighbridge.domain.image.document import Document, Index, Layer
from weighbridge.domain.image.platform import DEFAULT
from weighbridge.domain.limits import Retention
from weighbridge.errors import StoreError
from weighbridge.store.facts.blobs import find_blobs
from weighbridge.store.facts.images import find_known, keep_documents
from weighbridge.store.leases.claiming import claim
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.maintenance.checking.verify import verify
from weighbridge.store.maintenance.pruning import prune, prune_blobs, prune_manifests
from weighbridge.store.models import blobs, touched_manifests
from weighbridge.store.read_model.summaries import refresh_summary
from weighbridge.store.session import Database
from weighbridge.store.tags.applying import Move, apply_deleted, apply_moves

pytestmark = pytest.mark.slow

ROUNDS = 40
# Everything that no tag leads to is old enough.
MUCH_LATER = T0 + timedelta(days=1000)
PASSING = ("database_busy", "unknown_digest")


class Crawler:
    """Works on one repository, in the steps of a crawl: what is known, facts, tags."""

    def __init__(self, fleet: Fleet, name: str, documents: list[Document]) -> None:
        self._database = fleet.database
        self._repository = fleet.ids[name]
        self._documents = documents
        self._rnd = random.Random(name)  # noqa: S311 - no secret

    def work(self) -> None:
        for turn in range(ROUNDS):
            document = self._rnd.choice(self._documents)
            try:
                self._look(document, f"t{turn % 3}", turn)
            except StoreError as exc:
                if exc.code not in PASSING:
                    raise

    def _look(self, document: Document, tag: str, turn: int) -> None:
        with self._database.read() as connection:
            known = find_known(connection, [d.digest for d in self._documents])
        wanted = [d for d in self._below(document) if d.digest not in known]
        if wanted:
            with self._database.write() as connection:
                keep_documents(connection, wanted, {})
        now = T0 + timedelta(seconds=turn)
        with self._database.write() as connection:
            taken = claim(connection, self._repository, now=MUCH_LATER, lease_s=-1)
            assert taken is not None
            if self._rnd.random() < 0.4:
                apply_deleted(connection, taken, [tag], now)
            else:
                apply_moves(connection, taken, [Move(tag, document.digest, None)], now)

    def _below(self, document: Document) -> list[Document]:
        found = [document]
        if isinstance(document, Index):
            listed = {child.descriptor.digest for child in document.children}
            for child in self._documents:
                if child.digest in listed:
                    found += self._below(child)
        return found


@pytest.mark.long_on("sqlite")  # 11 s; there writers wait for each other anyway
def test_every_total_is_right_after_pruning_beside_crawls(database: Database) -> None:
    fleet = Fleet(database)
    universe = Universe(random.Random(900))  # noqa: S311 - no secret
    documents = [*universe.ready, *universe.late]
    crawlers = [Crawler(fleet, name, documents) for name in fleet.names]
    retention = Retention(None, timedelta(days=1))
    removed = []

    def prune_once() -> None:
        pruned = prune(database, retention, MUCH_LATER)
        removed.append(pruned.manifests + pruned.blobs)

    run_together([c.work for c in crawlers], [prune_once, lambda: settle_all(database)])

    settle_all(database)
    with database.write() as connection:
        for repository in fleet.ids.values():
            refresh_summary(connection, repository, T0, [DEFAULT])
    assert sum(removed) > 0
    assert counted(database) == stored(database)
    assert list(verify(database, {}, T0, lambda *_: None)) == []


def run_together(
    once: list[Callable[[], None]], repeated: list[Callable[[], None]]
) -> None:
    """Each on a thread; those that are repeated, until the others have ended."""
    faults: list[BaseException] = []
    ended = threading.Event()

    def guarded(work: Callable[[], None], *, is_repeated: bool) -> None:
        while True:
            try:
                work()
            except StoreError as exc:
                if exc.code not in PASSING:
                    faults.append(exc)
            except BaseException as exc:  # noqa: BLE001 - told by the test itself
                faults.append(exc)
            if not is_repeated or ended.is_set() or faults:
                return

    working = [
        threading.Thread(target=guarded, args=(w,), kwargs={"is_repeated": r})
        for works, r in ((once, False), (repeated, True))
        for w in works
    ]
    for thread in working:
        thread.start()
    for thread in working[: len(once)]:
        thread.join()
    ended.set()
    for thread in working[len(once) :]:
        thread.join()
    assert faults == []


def orphans(database: Database, count: int) -> list[Layer]:
    """Blobs to which nothing refers any more, none of them the newest."""
    layers = [a_layer(("orphan", n), 1_000 + n) for n in range(count)]
    world = World(database)
    with database.write() as connection:
        connection.execute(
            insert(blobs),
            [
                {
                    "digest": layer.digest,
                    "compressed_bytes": layer.compressed_bytes,
                    "counted_bytes": layer.compressed_bytes,
                    "is_known": False,
                    "is_layer": True,
                    "is_foreign": False,
                    "has_conflict": False,
                    "has_format_conflict": False,
                    "is_uncounted": False,
                    "facts_state": "none",
                }
                for layer in layers
            ],
        )
    world.crawl({"latest": an_image()})
    return layers


def stored_layers(database: Database, layers: Sequence[Layer]) -> list[bool]:
    with database.read() as connection:
        found = find_blobs(connection, [layer.digest for layer in layers])
    return [layer.digest in found for layer in layers]


def test_touched_manifests_keep_what_they_name_and_end_no_pruning(
    database: Database,
) -> None:
    layers = orphans(database, 3)
    child = an_image([layers[1]])
    with database.write() as connection:
        keep_documents(
            connection, [an_index_of(child)], {child.digest: "manifest_unknown"}
        )
        keep_documents(connection, [an_image([a_layer("newest", 1)])], {})

    def keep_late() -> bool:
        """Between the walk and the removal, and once more."""
        with database.write() as connection:
            keep_documents(connection, [child], {})
        return False

    assert prune_blobs(database, keep_late) == 2

    assert stored_layers(database, layers) == [False, True, False]


def test_a_pruning_that_another_one_overtook_removes_nothing_blindly(
    database: Database,
) -> None:
    layers = orphans(database, 2)
    others: list[int] = []

    def overtake() -> bool:
        if not others:
            others.append(prune_blobs(database, lambda: False))
        return False

    assert prune_blobs(database, overtake) == 0

    assert others == [2]
    assert stored_layers(database, layers) == [False, False]


def test_what_was_noted_for_a_pruning_goes_with_the_next(database: Database) -> None:
    child = an_image([a_layer("child", 5)])
    with database.write() as connection:
        index = an_index_of(child)
        keep_documents(connection, [index], {child.digest: "manifest_unknown"})
        keep_documents(connection, [child], {})

    def noted() -> list[int | None]:
        with database.read() as connection:
            return list(
                connection.execute(select(touched_manifests.c.manifest_id)).scalars()
            )

    assert len(noted()) == 1
    assert None not in noted()
    prune_blobs(database, lambda: False)
    assert noted() == [None]


def test_a_blob_that_a_tag_came_to_and_left_is_not_pruned(database: Database) -> None:
    layers = orphans(database, 2)
    world = World(database, repository="acme/other")

    def come_and_leave() -> bool:
        """Between the walk and the removal."""
        world.crawl({"1": layers[0].digest})
        world.crawl(deleted=["1"])
        return False

    assert prune_blobs(database, come_and_leave) == 1

    assert stored_layers(database, layers) == [True, False]
    settle_all(database)
    assert list(verify(database, {}, T0, lambda *_: None)) == []


def test_a_manifest_that_a_tag_came_to_and_left_is_not_pruned(
    database: Database,
) -> None:
    read, unread = an_image([a_layer("read", 1)]), an_image([a_layer("unread", 2)])
    world = World(database)
    world.keep(read, unread)
    world.crawl({"latest": an_image()})
    asked: list[None] = []

    def come_and_leave() -> bool:
        asked.append(None)
        if len(asked) == 2:  # between the list and the removal
            world.crawl({"1": read})
            world.crawl(deleted=["1"])
        return False

    assert prune_manifests(database, None, MUCH_LATER, come_and_leave) == 1

    with database.read() as connection:
        known = find_known(connection, [read.digest, unread.digest])
    assert known == {read.digest}


def test_a_pruning_of_manifests_that_was_overtaken_ends(database: Database) -> None:
    world = World(database)
    world.keep(an_image([a_layer("unread", 2)]))
    world.crawl({"latest": an_image()})
    asked: list[None] = []

    def overtake() -> bool:
        asked.append(None)
        if len(asked) == 2:
            prune_blobs(database, lambda: False)
        return False

    assert prune_manifests(database, None, MUCH_LATER, overtake) == 0
    assert prune_manifests(database, None, MUCH_LATER, lambda: False) == 1
