"""What a blob counts: the registry's word beats every claim, in its storage scope; a
claim counts for its own manifest alone."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from support.answering import answer
from support.brute_force import counted, stored
from support.images import a_digest, a_layer, an_artifact_of, an_image
from support.ledger_world import Fleet
from support.of_one import refresh_if_stale
from support.store_world import World
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Document, Image
from weighbridge.domain.image.platform import DEFAULT
from weighbridge.domain.report.inventory import RepositoryReport
from weighbridge.domain.size.confidence import MeasuredBlob, Uncompressed
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.maintenance.checking.recount import recount
from weighbridge.store.maintenance.checking.verify import verify
from weighbridge.store.models import blob_sizes, manifest_sizes, repositories
from weighbridge.store.read_model.summaries import refresh_summary
from weighbridge.store.reports.disputes import DisputeQuery, dispute_page
from weighbridge.store.reports.repositories import find_repository
from weighbridge.store.reports.tags import tag_page
from weighbridge.store.session import Database
from weighbridge.store.sizes.manifest_sizes import Swept
from weighbridge.store.sizes.unmeasured import (
    START,
    blobs_to_ask_again,
    note_measured,
    unmeasured_repositories,
    waiting_manifests,
)

HUGE = 2**44
TRUE = 3_000_000
LAYER = a_digest("honest")
HONEST = an_image([a_layer("honest", TRUE), a_layer("own", 50)])
EVIL = an_image([a_layer("honest", HUGE), a_layer("theirs", 70)])
MODEST = an_image([a_layer("honest", 1), a_layer("theirs", 70)])


def known(registry_bytes: int, uncompressed_bytes: int = 10**7) -> MeasuredBlob:
    number = uncompressed_bytes
    return MeasuredBlob(registry_bytes, Uncompressed("trailer", number, number, number))


def absent() -> MeasuredBlob:
    return MeasuredBlob(
        None, Uncompressed("unknown", None, None, None, "not_found"), "not_found"
    )


@pytest.fixture
def fleet(database: Database) -> Fleet:
    """`one/a` and `one/b` share a storage scope, `two/a` has another."""
    return Fleet(database, names=("one/evil", "one/honest", "two/a"))


def push(fleet: Fleet, name: str, **targets: Document) -> None:
    fleet.keep(*targets.values())
    fleet.push(name, **targets)
    settle_all(fleet.database)


def scope_of(fleet: Fleet, name: str) -> int:
    with fleet.database.read() as connection:
        found: int = connection.execute(
            select(repositories.c.scope_id).where(repositories.c.name == name)
        ).scalar_one()
    return found


def say(fleet: Fleet, name: str, **answers: MeasuredBlob | None) -> Swept:
    """The registry's answers about layers by their names, in the scope of `name`."""
    by_digest = {a_digest(layer): found for layer, found in answers.items()}
    swept = answer(fleet.database, scope_of(fleet, name), by_digest, fleet.now)
    settle_all(fleet.database)
    return swept


def report(fleet: Fleet, name: str) -> RepositoryReport:
    with fleet.database.write() as connection:
        refresh_if_stale(connection, fleet.ids[name], fleet.now, [DEFAULT])
    with fleet.database.read() as connection:
        found = find_repository(connection, fleet.registry, name)
    assert found is not None
    return found


def documents_of(image: Document) -> int:
    """The bytes of its manifest and config, which we counted ourselves."""
    assert isinstance(image, Image)
    return image.manifest.manifest_bytes + image.manifest.config.content_bytes


def compressed(fleet: Fleet, name: str, tag: str) -> tuple[int | None, str | None]:
    with fleet.database.read() as connection:
        page = tag_page(connection, fleet.registry, name)
    (found,) = [item for item in page.items if item.name == tag]
    return found.compressed_bytes, found.compressed_confidence


def all_right(fleet: Fleet) -> None:
    for repository in fleet.ids.values():
        with fleet.database.write() as connection:
            refresh_summary(connection, repository, fleet.now, [DEFAULT])
    settle_all(fleet.database)
    assert counted(fleet.database) == stored(fleet.database)
    assert list(verify(fleet.database, {}, fleet.now, lambda *_: None)) == []


def test_a_false_small_claim_is_beaten_by_the_registrys_word(fleet: Fleet) -> None:
    push(fleet, "one/evil", latest=MODEST)
    assert compressed(fleet, "one/evil", "latest") == (71, "claimed")

    learned = say(fleet, "one/evil", honest=known(TRUE), theirs=known(70)).learned

    assert learned == 1
    assert compressed(fleet, "one/evil", "latest") == (TRUE + 70, "disputed")
    found = report(fleet, "one/evil")
    assert found.deduplicated_bytes == TRUE + 70 + documents_of(MODEST)
    assert found.referenced_bytes == TRUE + 70 + documents_of(MODEST)
    assert found.newest_compressed_bytes == found.weighed_bytes == TRUE + 70
    assert found.newest_compressed_confidence == "disputed"
    assert found.heaviest_compressed_bytes == max(TRUE, 70)
    all_right(fleet)


def test_a_false_large_claim_is_beaten_too(fleet: Fleet) -> None:
    push(fleet, "one/evil", latest=EVIL)

    say(fleet, "one/evil", honest=known(TRUE), theirs=known(70))

    assert compressed(fleet, "one/evil", "latest") == (TRUE + 70, "disputed")
    assert report(fleet, "one/evil").deduplicated_bytes == (
        TRUE + 70 + documents_of(EVIL)
    )
    all_right(fleet)


def test_a_neighbours_lie_adds_nothing_to_an_honest_repository(fleet: Fleet) -> None:
    push(fleet, "one/evil", latest=EVIL)
    push(fleet, "one/honest", latest=HONEST)

    before = report(fleet, "one/honest")
    # Documents disagree: the layer counts for nobody until its registry was asked.
    assert before.deduplicated_bytes == 50 + documents_of(HONEST)
    assert before.newest_compressed_bytes == TRUE + 50
    assert before.referenced_bytes == TRUE + 50 + documents_of(HONEST)
    all_right(fleet)

    say(fleet, "one/honest", honest=known(TRUE), own=known(50), theirs=known(70))

    after = report(fleet, "one/honest")
    assert after.deduplicated_bytes == TRUE + 50 + documents_of(HONEST)
    assert (after.newest_compressed_bytes, after.newest_compressed_confidence) == (
        TRUE + 50,
        "known",
    )
    assert after.newest_uncompressed_bytes == 2 * 10**7
    assert report(fleet, "one/evil").deduplicated_bytes == (
        TRUE + 70 + documents_of(EVIL)
    )
    all_right(fleet)


def test_a_lie_that_comes_after_the_word_changes_nothing(fleet: Fleet) -> None:
    push(fleet, "one/honest", latest=HONEST)
    say(fleet, "one/honest", honest=known(TRUE), own=known(50))
    before = report(fleet, "one/honest")

    push(fleet, "one/evil", latest=EVIL)

    after = report(fleet, "one/honest")
    assert after.deduplicated_bytes == before.deduplicated_bytes
    assert after.referenced_bytes == before.referenced_bytes
    all_right(fleet)


def test_the_word_of_one_scope_is_not_that_of_another(fleet: Fleet) -> None:
    """A registry that somebody else runs says what it likes, of itself alone."""
    push(fleet, "one/honest", latest=HONEST)
    push(fleet, "two/a", latest=HONEST)

    forged = say(fleet, "two/a", honest=known(7, 8), own=known(9, 9))

    assert forged.count == 1
    assert compressed(fleet, "two/a", "latest") == (16, "disputed")
    assert compressed(fleet, "one/honest", "latest") == (TRUE + 50, "claimed")
    here = report(fleet, "one/honest")
    assert here.newest_uncompressed_confidence is None
    assert here.deduplicated_bytes == TRUE + 50 + documents_of(HONEST)
    say(fleet, "one/honest", honest=known(TRUE), own=known(50))
    assert report(fleet, "one/honest").newest_uncompressed_bytes == 2 * 10**7
    all_right(fleet)


def test_a_blob_that_the_registry_does_not_hold_is_not_stored(fleet: Fleet) -> None:
    push(fleet, "one/honest", latest=HONEST)

    say(fleet, "one/honest", honest=absent(), own=known(50))

    found = report(fleet, "one/honest")
    assert found.deduplicated_bytes == 50 + documents_of(HONEST)
    assert compressed(fleet, "one/honest", "latest") == (TRUE + 50, "claimed")
    all_right(fleet)


def test_a_late_word_brings_every_total_up_to_date(fleet: Fleet) -> None:
    push(fleet, "one/evil", latest=EVIL, second=MODEST)
    push(fleet, "one/honest", latest=HONEST)
    say(fleet, "one/honest", honest=absent(), own=known(50), theirs=known(70))
    assert compressed(fleet, "one/evil", "latest") == (HUGE + 70, "claimed")
    all_right(fleet)

    say(fleet, "one/honest", honest=known(TRUE))

    assert compressed(fleet, "one/evil", "latest") == (TRUE + 70, "disputed")
    assert compressed(fleet, "one/evil", "second") == (TRUE + 70, "disputed")
    assert compressed(fleet, "one/honest", "latest") == (TRUE + 50, "known")
    all_right(fleet)


def test_a_foreign_layer_that_the_registry_holds_is_an_ordinary_one(
    fleet: Fleet,
) -> None:
    called_foreign = an_image([a_layer("honest", 5, is_foreign=True)])
    push(fleet, "one/evil", latest=called_foreign)
    assert report(fleet, "one/evil").deduplicated_bytes == documents_of(called_foreign)

    say(fleet, "one/evil", honest=known(TRUE))

    found = report(fleet, "one/evil")
    assert found.deduplicated_bytes == TRUE + documents_of(called_foreign)
    assert found.newest_compressed_bytes == TRUE
    all_right(fleet)


def test_a_lying_artifact_adds_to_storage_what_the_registry_says(fleet: Fleet) -> None:
    chart = replace(an_artifact_of(a_layer("honest", HUGE)), config=None)
    push(fleet, "one/evil", chart=chart)

    say(fleet, "one/evil", honest=MeasuredBlob(TRUE, NOT_ASKED))

    found = report(fleet, "one/evil")
    assert found.deduplicated_bytes == TRUE + chart.manifest_bytes
    assert found.referenced_bytes == TRUE + chart.manifest_bytes
    all_right(fleet)


NOT_ASKED = Uncompressed("unknown", None, None, None, "not_asked")


def test_contradicted_claims_are_listed_and_each_is_learned_of_once(
    fleet: Fleet,
) -> None:
    push(fleet, "one/evil", latest=EVIL, again=EVIL)
    push(fleet, "one/honest", latest=HONEST)
    answers = {"honest": known(TRUE), "own": known(50), "theirs": known(70)}

    assert say(fleet, "one/evil", **answers).learned == 1
    push(fleet, "one/evil", copy=an_image([a_layer("honest", HUGE)]))
    assert say(fleet, "one/evil", **answers).learned == 0

    with fleet.database.read() as connection:
        page = dispute_page(connection, DisputeQuery(limit=1))
        rest = dispute_page(connection, DisputeQuery(limit=9, cursor=page.next_cursor))
        others = dispute_page(connection, DisputeQuery(repository="one/honest"))
    (copy,), (latest,) = page.items, rest.items
    assert (copy.tags, latest.tags) == (("copy",), ("again", "latest"))
    assert (latest.repository, latest.image) == ("one/evil", EVIL.digest)
    assert (latest.digest, latest.source) == (LAYER, "manifest")
    assert (latest.claimed_bytes, latest.registry_bytes) == (HUGE, TRUE)
    assert rest.next_cursor is None
    assert others.items == ()


def test_damaged_sizes_are_found_and_counted_anew(fleet: Fleet) -> None:
    push(fleet, "one/evil", latest=EVIL)
    push(fleet, "one/honest", latest=HONEST)
    say(fleet, "one/honest", honest=known(TRUE), own=known(50), theirs=known(70))
    all_right(fleet)
    with fleet.database.write() as connection:
        connection.execute(
            manifest_sizes.update()
            .where(manifest_sizes.c.compressed_bytes == TRUE + 50)
            .values(compressed_bytes=1)
        )
        connection.execute(
            blob_sizes.update()
            .where(blob_sizes.c.registry_bytes == 70)
            .values(registry_bytes=71)
        )

    found = {
        (difference.table, difference.what)
        for difference in verify(fleet.database, {}, fleet.now, lambda *_: None)
    }
    assert ("manifest_sizes", "compressed_bytes") in found
    assert ("repository_summaries", "deduplicated_bytes") in found
    recount(fleet.database, fleet.registry, [DEFAULT], fleet.now, lambda *_: None)

    assert counted(fleet.database) == stored(fleet.database)
    assert list(verify(fleet.database, {}, fleet.now, lambda *_: None)) == []
    assert report(fleet, "one/evil").newest_compressed_bytes == TRUE + 71


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_what_will_not_do_is_asked_again_with_growing_pauses(world: World) -> None:
    world.crawl({"latest": HONEST})

    def due() -> set[Digest]:
        with world.database.read() as connection:
            found = blobs_to_ask_again(connection, world.registry_id, 10, world.now)
        return {item.layer.digest for item in found}

    waits = []
    for _ in range(12):
        began = world.now
        answer(world.database, world.scope_id, {LAYER: None}, world.now)
        while LAYER not in due():
            world.now += timedelta(minutes=30)
        waits.append(world.now - began)

    hours = [wait / timedelta(hours=1) for wait in waits]
    assert hours == [0, 1, 2, 4, 8, 16, 32, 64, 128, 168, 168, 168]
    answer(world.database, world.scope_id, {LAYER: known(TRUE)}, world.now)
    world.now += timedelta(days=30)
    assert due() == set()


def test_an_unchanged_repository_is_not_looked_through_again(world: World) -> None:
    world.crawl({"latest": HONEST})
    with world.database.read() as connection:
        waiting = waiting_manifests(connection, world.registry_id, START, 10)
        assert len(waiting) == 1
        assert unmeasured_repositories(connection, world.registry_id) == [
            world.repository_id
        ]
    answers = {LAYER: known(TRUE), a_digest("own"): known(50)}
    answer(world.database, world.scope_id, answers, world.now)

    with world.database.write() as connection:
        note_measured(connection, [world.repository_id])
    with world.database.read() as connection:
        assert unmeasured_repositories(connection, world.registry_id) == []
    world.crawl({"next": MODEST})
    with world.database.read() as connection:
        assert len(unmeasured_repositories(connection, world.registry_id)) == 1


def test_rows_have_the_manifests_figure_beside_the_registrys(fleet: Fleet) -> None:
    push(fleet, "one/evil", latest=MODEST)
    say(fleet, "one/evil", honest=known(TRUE), theirs=known(70))

    found = report(fleet, "one/evil")
    with fleet.database.read() as connection:
        (tag,) = tag_page(connection, fleet.registry, "one/evil").items

    assert (found.newest_compressed_bytes, found.newest_claimed_bytes) == (
        TRUE + 70,
        71,
    )
    assert (tag.compressed_bytes, tag.claimed_bytes) == (TRUE + 70, 71)
