"""`verify` finds what is planted, `recount` puts it right, and both find nothing in
what the store has written itself."""

import random
from collections import Counter

import pytest
from sqlalchemy import text

from support.brute_force import counted, stored
from support.images import a_layer, an_image, an_index_of
from support.ledger_world import Fleet, History
from support.seeds import seeds
from weighbridge.domain.image.platform import DEFAULT
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.maintenance.checking.differences import Difference
from weighbridge.store.maintenance.checking.recount import (
    recount,
)
from weighbridge.store.maintenance.checking.verify import (
    count_damaged,
    drop_damaged,
    verify,
)
from weighbridge.store.read_model.summaries import refresh_summary
from weighbridge.store.session import Database

pytestmark = pytest.mark.slow

BASE = a_layer("base", 5000)
ONE = an_image([BASE, a_layer("one", 100)])
TWO = an_image([BASE, a_layer("two", 200)])
INDEX = an_index_of(ONE, TWO)


@pytest.fixture
def fleet(database: Database) -> Fleet:
    """Two repositories that share a base, and one that shares nothing."""
    fleet = Fleet(database)
    fleet.keep(ONE, TWO, INDEX)
    fleet.push("one/a", latest=INDEX, old=ONE)
    fleet.push("one/b", latest=ONE)
    fleet.push("two/a", latest=TWO, gone=TWO)
    fleet.push("two/a", gone=None)
    refresh(fleet)
    settle_all(database)
    return fleet


def refresh(fleet: Fleet) -> None:
    with fleet.database.write() as connection:
        for repository in fleet.ids.values():
            refresh_summary(connection, repository, fleet.now, [DEFAULT])


def found(fleet: Fleet) -> list[Difference]:
    return list(verify(fleet.database, {}, fleet.now, lambda *_: None))


def recounted(fleet: Fleet) -> list[Difference]:
    return recount(
        fleet.database, fleet.registry, [DEFAULT], fleet.now, lambda *_: None
    )


def test_nothing_is_wrong_with_what_the_store_has_written(fleet: Fleet) -> None:
    assert found(fleet) == []
    assert recounted(fleet) == []


@pytest.mark.parametrize("seed", seeds(300, 3, quick=1))
def test_nothing_is_wrong_after_a_random_history(database: Database, seed: int) -> None:
    history = History(Fleet(database), random.Random(seed))  # noqa: S311 - no secret

    for _ in range(60):
        history.step()
    refresh(history.fleet)

    assert found(history.fleet) == []


# Each: what is planted, the table that verify names for it.
PLANTED = {
    "a manifest counted once too often": (
        "UPDATE repository_manifests SET tag_count = tag_count + 1",
        "repository_manifests",
    ),
    "a manifest that an index does not list": (
        "UPDATE repository_manifests SET index_count = 7 WHERE index_count = 0",
        "repository_manifests",
    ),
    "a live manifest without a row": (
        "DELETE FROM repository_manifests WHERE index_count = 1",
        "repository_manifests",
    ),
    "a row of a manifest that is not live": (
        "INSERT INTO repository_manifests VALUES"
        " ((SELECT id FROM repositories WHERE name = 'one/c'),"
        " (SELECT min(id) FROM blobs), 1, 0)",
        "repository_manifests",
    ),
    "a blob held by one manifest more": (
        "UPDATE repository_blobs SET manifest_count = manifest_count + 1",
        "repository_blobs",
    ),
    "a held blob without a row": (
        "DELETE FROM repository_blobs WHERE blob_id ="
        " (SELECT min(blob_id) FROM repository_blobs)",
        "repository_blobs",
    ),
    "a row of a blob that is not held": (
        "INSERT INTO repository_blobs SELECT scope_id, (SELECT max(id) FROM blobs), id,"
        " 1 FROM repositories WHERE name = 'one/c'",
        "repository_blobs",
    ),
    "a repository's blob in another scope": (
        "INSERT INTO repository_blobs SELECT (SELECT max(id) FROM storage_scopes),"
        " (SELECT max(id) FROM blobs), id, 1 FROM repositories WHERE name = 'one/a'",
        "repository_blobs",
    ),
    "a shared blob in one repository's hands": (
        "UPDATE scope_blobs SET sole_repository_id ="
        " (SELECT min(id) FROM repositories) WHERE sole_repository_id IS NULL",
        "scope_blobs",
    ),
    "a held blob that is not settled": (
        "DELETE FROM scope_blobs WHERE blob_id ="
        " (SELECT max(blob_id) FROM scope_blobs)",
        "scope_blobs",
    ),
    "a settled blob that nobody holds": (
        "INSERT INTO scope_blobs SELECT max(scope_id), 999, NULL FROM scope_blobs",
        "scope_blobs",
    ),
    "a settled blob of an unknown scope": (
        "INSERT INTO scope_blobs SELECT 999, max(blob_id), NULL FROM scope_blobs",
        "scope_blobs",
    ),
    "a scope with an image more": (
        "UPDATE storage_scopes SET image_count = image_count + 1",
        "storage_scopes",
    ),
    "a scope that weighs more": (
        "UPDATE storage_scopes SET weighed_bytes = weighed_bytes + 1",
        "storage_scopes",
    ),
    "a scope with more bytes": (
        "UPDATE storage_scopes SET deduplicated_bytes = deduplicated_bytes + 1",
        "storage_scopes",
    ),
    "a scope with more shared bytes": (
        "UPDATE storage_scopes SET shared_bytes = shared_bytes + 1",
        "storage_scopes",
    ),
    **{
        f"a summary with another {column}": (
            f"UPDATE repository_summaries SET {column} = {value}",  # noqa: S608
            "repository_summaries",
        )
        for column, value in {
            "tag_count": 77,
            "image_count": 77,
            "tags_failed": 77,
            "referenced_bytes": 77,
            "weighed_bytes": 77,
            "largest_compressed_bytes": 77,
            "deduplicated_bytes": 77,
            "exclusive_bytes": 77,
            "newest_tag": "'old'",
            "newest_compressed_bytes": 77,
            "newest_layers": 77,
            "baseline_compressed_bytes": 77,
            "heaviest_compressed_bytes": 77,
        }.items()
    },
    "a summary that counts for no registry": (
        "UPDATE repository_summaries SET registry_id = NULL",
        "repository_summaries",
    ),
    "a registry with more tags": (
        "UPDATE registry_sums SET tags = tags + 1 WHERE id ="
        " (SELECT max(id) FROM registry_sums WHERE tags IS NOT NULL)",
        "registry_sums",
    ),
    "a registry with more bytes": (
        "UPDATE registry_sums SET referenced_high = referenced_high + 1 WHERE id ="
        " (SELECT max(id) FROM registry_sums WHERE referenced_high IS NOT NULL)",
        "registry_sums",
    ),
    "a repository without a summary": (
        "DELETE FROM repository_summaries WHERE repository_id ="
        " (SELECT id FROM repositories WHERE name = 'one/a')",
        "repository_summaries",
    ),
    "a tag without an open move": (
        "UPDATE tag_moves SET seen_until = seen_from",
        "tag_moves",
    ),
    "an open move to another target": (
        "UPDATE tag_moves SET target_id = (SELECT max(id) FROM blobs)"
        " WHERE seen_until IS NULL",
        "tag_moves",
    ),
    "two open moves": (
        "INSERT INTO tag_moves (tag_id, seen_from, target_id)"
        " SELECT tag_id, seen_from + 1, target_id FROM tag_moves"
        " WHERE seen_until IS NULL",
        "tag_moves",
    ),
    "an open move of a gone tag": (
        "UPDATE tag_moves SET seen_until = NULL",
        "tag_moves",
    ),
    "a move that ended before it began": (
        "UPDATE tag_moves SET seen_until = seen_from - 1 WHERE seen_until IS NOT NULL",
        "tag_moves",
    ),
    "a move of an unknown tag": (
        "INSERT INTO tag_moves (tag_id, seen_from, seen_until, target_id)"
        " SELECT 999, 1, 2, max(id) FROM blobs",
        "tag_moves",
    ),
    "a manifest of an unknown repository": (
        "INSERT INTO repository_manifests SELECT 999, max(id), 1, 0 FROM blobs",
        "repository_manifests",
    ),
    "a change that waits in a scope that is not there": (
        "INSERT INTO blob_changes (scope_id, blob_id) SELECT 999, max(id) FROM blobs",
        "blob_changes",
    ),
    "chunks of a crawl that has ended": (
        "INSERT INTO crawls (id, repository_id, registry_id, started_at, ended_at,"
        " state, reason, tags_seen, tags_new, tags_moved, tags_deleted, tags_failed,"
        " invalid_tags, requests, bytes_read, resumes)"
        " SELECT 1, max(id), 1, 1, 2, 'ok', '', 0, 0, 0, 0, 0, 0, 0, 0, 0"
        " FROM repositories;"
        "INSERT INTO crawl_chunks (crawl_id, position, step, names)"
        " VALUES (1, 0, 1, '[]')",
        "crawl_chunks",
    ),
}
# Facts that are lost: counting anew does not bring them back.
LOST = {
    "an image without its layers": (
        "DELETE FROM layers WHERE position = 1",
        {"layers"},
    ),
    "an image without its lines": ("DELETE FROM lines", {"lines"}),
    "an image without its row": (
        "DELETE FROM images WHERE id = (SELECT min(id) FROM images)",
        {"images", "lines"},
    ),
    "a layer that is not there": (
        "UPDATE layers SET blob_id = 999 WHERE position = 0",
        {"layers"},
    ),
    "a child that is not there": (
        "UPDATE index_members SET child_id = 999 WHERE position = 0",
        {"index_members"},
    ),
    "a config that is not there": ("UPDATE images SET config_id = 999", {"images"}),
    "a target that is not there": (
        "UPDATE tags SET target_id = 999 WHERE name = 'old'",
        {"tags"},
    ),
}


def plant(fleet: Fleet, statements: str) -> None:
    with fleet.database.write() as connection:
        for statement in statements.split(";"):
            connection.execute(text(statement))


@pytest.mark.long_on("postgresql")  # the rest of this file has it
@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found_and_repaired(fleet: Fleet, name: str) -> None:
    statements, table = PLANTED[name]
    plant(fleet, statements)

    # PostgreSQL's settler takes any change that waits, before anything is compared.
    is_settled = table == "blob_changes" and not fleet.database.settles_at_once
    assert (table in {d.table for d in found(fleet)}) is not is_settled
    recounted(fleet)
    assert found(fleet) == []
    assert counted(fleet.database) == stored(fleet.database)


@pytest.mark.parametrize("name", LOST)
def test_facts_that_are_lost_are_found(fleet: Fleet, name: str) -> None:
    statements, tables = LOST[name]
    plant(fleet, statements)

    assert tables <= {difference.table for difference in found(fleet)}


@pytest.mark.parametrize("name", LOST)
def test_lost_facts_are_dropped_until_their_document_is_read_again(
    fleet: Fleet, name: str
) -> None:
    before = stored(fleet.database)
    plant(fleet, LOST[name][0])
    is_target = name == "a target that is not there"

    assert drop_damaged(fleet.database) > 0
    recounted(fleet)

    assert found(fleet) == []
    assert stored(fleet.database) != before
    assert counted(fleet.database) == stored(fleet.database)
    fleet.keep(ONE, TWO, INDEX)
    if is_target:
        fleet.push("one/a", old=ONE)
    settle_all(fleet.database)
    refresh(fleet)
    assert stored(fleet.database) == before
    assert found(fleet) == []


def test_nothing_is_dropped_where_nothing_is_damaged(fleet: Fleet) -> None:
    assert count_damaged(fleet.database) == 0
    assert drop_damaged(fleet.database) == 0
    assert found(fleet) == []


# What `verify` names, by table: the ledger's own columns of a row.
LEDGER = {
    "repository_manifests": "tag_count",
    "repository_blobs": "manifest_count",
    "storage_scopes": "shared_bytes",
}


@pytest.mark.parametrize("seed", seeds(700, 6, quick=1))
def test_verify_names_exactly_the_rows_that_brute_force_finds_different(
    database: Database, seed: int
) -> None:
    rnd = random.Random(seed)  # noqa: S311 - no secret
    history = History(Fleet(database), rnd)
    for _ in range(40):
        history.step()
    settle_all(database)
    refresh(history.fleet)
    for table, column in LEDGER.items():
        chance = f"(SELECT min({column}) FROM {table})"  # noqa: S608
        plant(
            history.fleet,
            f"UPDATE {table} SET {column} = {column} + 7"  # noqa: S608
            f" WHERE {column} = {chance}",
        )

    wrong = {t: stored(database)[t] - counted(database)[t] for t in LEDGER}

    named = Counter(d.table for d in found(history.fleet) if d.table in LEDGER)
    assert named == {table: len(rows) for table, rows in wrong.items()}
    assert all(rows for rows in wrong.values())


def test_a_difference_names_its_place_and_both_values(fleet: Fleet) -> None:
    plant(
        fleet,
        "UPDATE repository_blobs SET manifest_count = 9 WHERE repository_id ="
        " (SELECT id FROM repositories WHERE name = 'two/a')"
        " AND blob_id = (SELECT id FROM blobs WHERE compressed_bytes = 200)",
    )

    digest = TWO.layers[1].digest
    assert found(fleet) == [
        Difference("repository_blobs", f"{digest} hub/two/a", "manifest_count", 9, 1)
    ]


def test_a_stale_row_is_compared_in_what_is_always_exact_only(fleet: Fleet) -> None:
    plant(fleet, "UPDATE repository_summaries SET newest_layers = 9, is_stale = true")

    assert found(fleet) == []


def test_recounting_one_registry_leaves_the_others_alone(fleet: Fleet) -> None:
    other = Fleet(fleet.database, registry="other", names=["x"])
    other.push("x", latest=ONE)
    refresh(other)
    settle_all(fleet.database)
    plant(fleet, "UPDATE storage_scopes SET shared_bytes = 9")

    recounted(fleet)

    assert [d.where for d in found(fleet)] == ["other/x"]


def test_verifying_changes_nothing(fleet: Fleet) -> None:
    plant(fleet, "UPDATE storage_scopes SET shared_bytes = 9")
    before = stored(fleet.database)

    assert found(fleet) != []
    assert stored(fleet.database) == before
