"""Where tags point: new, moved, failed, gone, returned."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, select

from support.images import OCI_INDEX, a_digest, a_layer, an_image, an_index_of
from support.of_one import close_crawl, open_crawl
from support.rows_written import rows_written
from support.store_world import World, a_result
from weighbridge.domain.image.document import Child, Descriptor, Image, Index
from weighbridge.errors import StaleFence, StoreError
from weighbridge.store.facts.images import keep_documents
from weighbridge.store.leases.claiming import Claim, hold
from weighbridge.store.models import (
    blobs,
    repository_manifests,
    tag_moves,
    tags,
)
from weighbridge.store.tags.applying import (
    KnownTag,
    Move,
    apply_deleted,
    apply_failures,
    apply_moves,
    known_tags,
    live_tags,
)
from weighbridge.store.tags.tag_rows import TagFailure

ONE = an_image([a_layer("one", 100)])
TWO = an_image([a_layer("two", 200)])
THREE = an_image([a_layer("three", 300)])


def history(world: World, name: str) -> list[tuple[object, ...]]:
    """(target, from, until) of a tag, oldest first."""
    with world.database.read() as connection:
        rows = connection.execute(
            select(blobs.c.digest, tag_moves.c.seen_from, tag_moves.c.seen_until)
            .join_from(tag_moves, tags, tags.c.id == tag_moves.c.tag_id)
            .join(blobs, blobs.c.id == tag_moves.c.target_id)
            .where(tags.c.name == name)
            .order_by(tag_moves.c.seen_from)
        )
        return [tuple(row) for row in rows]


def live(world: World) -> dict[str, tuple[int, int]]:
    """(tags, indexes) by digest of what is live."""
    with world.database.read() as connection:
        rows = connection.execute(
            select(
                blobs.c.digest,
                repository_manifests.c.tag_count,
                repository_manifests.c.index_count,
            ).join(blobs, blobs.c.id == repository_manifests.c.manifest_id)
        )
        return {row.digest: (row.tag_count, row.index_count) for row in rows}


def test_a_moved_tag_leaves_its_old_target_in_its_history(world: World) -> None:
    world.crawl({"latest": ONE})
    first = world.now

    world.crawl({"latest": TWO})

    assert world.tags()["latest"].digest == TWO.digest
    assert history(world, "latest") == [
        (ONE.digest, first, world.now),
        (TWO.digest, world.now, None),
    ]
    assert live(world) == {TWO.digest: (1, 0)}


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_tag_of_the_first_complete_crawl_has_not_moved(world: World) -> None:
    world.crawl({"old": ONE}, result=a_result(complete=False, state="partial"))
    world.crawl({"older": ONE})

    world.crawl({"new": ONE})

    moved = {name: tag.moved_at for name, tag in world.tags().items()}
    assert moved == {"old": None, "older": None, "new": world.now}


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_move_seen_before_the_first_complete_crawl_is_a_move(world: World) -> None:
    world.crawl({"latest": ONE}, result=a_result(complete=False, state="partial"))

    world.crawl({"latest": TWO})

    assert world.tags()["latest"].moved_at == world.now


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_second_move_in_the_same_tick_takes_the_place_of_the_first(
    world: World,
) -> None:
    world.keep(ONE, TWO, THREE)
    with world.database.write() as connection:
        claim = world.claimed(connection)
        for target in (ONE, TWO, THREE):
            move = Move("latest", target.digest, None)
            apply_moves(connection, claim, [move], world.now)

    assert history(world, "latest") == [(THREE.digest, world.now, None)]
    assert live(world) == {THREE.digest: (1, 0)}


def test_the_last_of_two_moves_of_one_tag_in_one_batch_counts(world: World) -> None:
    world.keep(ONE, TWO)
    moves = [Move("latest", ONE.digest, None), Move("latest", TWO.digest, None)]

    with world.database.write() as connection:
        apply_moves(connection, world.claimed(connection), moves, world.now)

    assert live(world) == {TWO.digest: (1, 0)}


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_clock_that_was_set_back_ends_no_target_before_its_beginning(
    world: World,
) -> None:
    world.crawl({"latest": ONE})
    began = world.now
    with world.database.write() as connection:
        claim = world.claimed(connection)
        keep_documents(connection, [TWO], {})
        past = began - timedelta(hours=1)
        apply_moves(connection, claim, [Move("latest", TWO.digest, None)], past)

    assert (ONE.digest, began, began) in history(world, "latest")


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_aliases_count_once_each(world: World) -> None:
    world.crawl({"3": ONE, "3.11": ONE, "latest": ONE})
    world.crawl({"latest": TWO})

    assert live(world) == {ONE.digest: (2, 0), TWO.digest: (1, 0)}
    assert (world.report().tags, world.report().images) == (3, 2)


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_an_index_keeps_its_children_live_while_a_tag_names_it(world: World) -> None:
    world.keep(ONE, TWO)
    index = an_index_of(ONE, TWO)
    world.crawl({"latest": index, "one": ONE})
    assert live(world) == {
        index.digest: (1, 0),
        ONE.digest: (1, 1),
        TWO.digest: (0, 1),
    }

    world.crawl(deleted=["latest"])

    assert live(world) == {ONE.digest: (1, 0)}


def test_nested_indexes_hold_what_is_below_them(world: World) -> None:
    inner = an_index_of(ONE)
    entry = Child(Descriptor(OCI_INDEX, inner.digest, inner.manifest_bytes), "index")
    outer = Index(a_digest("outer"), OCI_INDEX, 300, (entry, entry))
    world.keep(ONE, inner)

    world.crawl({"nested": outer})

    # An index that lists a child twice counts once.
    assert live(world) == {
        outer.digest: (1, 0),
        inner.digest: (0, 1),
        ONE.digest: (0, 1),
    }
    assert world.report().images == 1
    world.crawl(deleted=["nested"])
    assert live(world) == {}


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_child_that_is_read_late_enters_where_its_index_is_live(
    world: World,
) -> None:
    inner = an_index_of(ONE)
    entry = Child(Descriptor(OCI_INDEX, inner.digest, inner.manifest_bytes), "index")
    outer = Index(a_digest("outer"), OCI_INDEX, 300, (entry,))
    world.keep(outer, ONE, missing={inner.digest: "not_found"})
    world.crawl({"nested": outer})
    assert world.report().images == 0

    world.keep(inner)

    assert live(world)[ONE.digest] == (0, 1)
    assert world.report().images == 1


def test_an_image_that_is_read_late_is_counted_as_one(world: World) -> None:
    index = an_index_of(ONE, TWO)
    world.keep(index, ONE, missing={TWO.digest: "not_found"})
    world.crawl({"latest": index})
    assert world.report().images == 1

    world.keep(TWO)

    assert world.report().images == 2


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_gone_tag_keeps_its_history_and_its_last_target(world: World) -> None:
    world.crawl({"old": ONE})
    first = world.now

    world.crawl(deleted=["old", "never seen"])

    tag = world.tags()["old"]
    assert (tag.digest, tag.deleted_at) == (ONE.digest, world.now)
    assert history(world, "old") == [(ONE.digest, first, world.now)]
    assert (live(world), world.report().tags) == ({}, 0)


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_tag_that_is_gone_already_goes_no_further(world: World) -> None:
    world.crawl({"old": ONE})
    world.crawl(deleted=["old"])
    since = world.now

    world.crawl(deleted=["old"])

    assert world.tags()["old"].deleted_at == since
    assert world.report().tags == 0


def test_a_returning_tag_revives_and_begins_a_new_entry(world: World) -> None:
    world.crawl({"old": ONE})
    first = world.now
    world.crawl(deleted=["old"])
    lost = world.now

    world.crawl({"old": ONE})

    tag = world.tags()["old"]
    assert (tag.deleted_at, tag.moved_at, tag.first_seen_at) == (None, world.now, first)
    assert history(world, "old") == [
        (ONE.digest, first, lost),
        (ONE.digest, world.now, None),
    ]
    assert live(world) == {ONE.digest: (1, 0)}


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_manifest_007_a_tag_that_cannot_be_read_keeps_its_last_good_target(
    world: World,
) -> None:
    world.crawl({"latest": ONE})

    failure = TagFailure("latest", "invalid_size", "a size is negative", TWO.digest)
    world.crawl(failures=[failure])

    tag = world.tags()["latest"]
    assert (tag.digest, tag.compressed_bytes) == (ONE.digest, 100)
    assert (tag.error_code, tag.error_message) == ("invalid_size", failure.message)
    assert tag.error_at == world.now
    assert world.report().tags_failed == 1
    assert live(world) == {ONE.digest: (1, 0)}


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_tag_that_was_never_read_is_there_without_a_target(world: World) -> None:
    world.crawl(failures=[TagFailure("bad", "invalid_json", "no JSON", None)])

    tag = world.tags()["bad"]

    assert (tag.digest, tag.kind, tag.compressed_bytes) == (None, None, None)
    assert (world.report().tags, world.report().tags_failed) == (1, 1)
    assert history(world, "bad") == []


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_reading_a_tag_at_last_is_no_move(world: World) -> None:
    world.crawl(failures=[TagFailure("bad", "invalid_json", "no JSON", None)])

    world.crawl({"bad": ONE})

    tag = world.tags()["bad"]
    assert (tag.digest, tag.moved_at, tag.error_code) == (ONE.digest, None, None)
    assert history(world, "bad") == [(ONE.digest, world.now, None)]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_failure_that_goes_on_keeps_its_beginning(world: World) -> None:
    world.crawl(failures=[TagFailure("bad", "timeout", "10.0 s", None)])
    since = world.now

    world.crawl(failures=[TagFailure("bad", "timeout", "10.1 s", None)])

    assert world.tags()["bad"].error_at == since


def test_another_failure_begins_anew(world: World) -> None:
    world.crawl({"bad": ONE}, failures=[])
    world.crawl(failures=[TagFailure("bad", "timeout", "10 s", None)])

    world.crawl(failures=[TagFailure("bad", "invalid_json", "no JSON", None)])

    tag = world.tags()["bad"]
    assert (tag.error_code, tag.error_at) == ("invalid_json", world.now)


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_good_look_at_the_same_target_clears_the_error(world: World) -> None:
    world.crawl({"latest": ONE})
    world.crawl(failures=[TagFailure("latest", "timeout", "10 s", None)])

    world.crawl({"latest": ONE})

    assert world.tags()["latest"].error_code is None
    assert len(history(world, "latest")) == 1
    assert world.report().tags_failed == 0


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_gone_tag_fails_no_more(world: World) -> None:
    world.crawl(failures=[TagFailure("bad", "timeout", "10 s", None)])

    world.crawl(deleted=["bad"])

    assert world.tags()["bad"].error_code is None
    assert (world.report().tags, world.report().tags_failed) == (0, 0)


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_tag_that_returns_and_fails_is_not_said_to_hold_its_old_target(
    world: World,
) -> None:
    world.crawl({"old": ONE})
    world.crawl(deleted=["old"])

    world.crawl(failures=[TagFailure("old", "timeout", "10 s", None)])

    tag = world.tags()["old"]
    assert (tag.digest, tag.deleted_at, tag.error_code) == (None, None, "timeout")
    assert (live(world), world.report().tags) == ({}, 1)


def test_a_push_time_is_kept_and_can_be_corrected(world: World) -> None:
    pushed = datetime(2026, 2, 3, tzinfo=UTC)
    world.crawl({"latest": ONE}, pushed_at=pushed)
    assert world.tags()["latest"].pushed_at == pushed

    world.crawl({"latest": ONE})
    assert world.tags()["latest"].pushed_at == pushed

    world.crawl({"latest": ONE}, pushed_at=pushed + timedelta(hours=1))
    assert world.tags()["latest"].pushed_at == pushed + timedelta(hours=1)


def test_known_tags_are_live_ones_with_target_and_failure(world: World) -> None:
    world.crawl({"good": ONE, "stale": ONE, "old": ONE})
    world.crawl(
        failures=[
            TagFailure("stale", "timeout", "10 s", TWO.digest),
            TagFailure("bad", "not_found", "404", None),
        ],
        deleted=["old"],
    )

    with world.database.read() as connection:
        asked = ["good", "stale", "bad", "old", "new"]
        known = known_tags(connection, world.repository_id, asked)
        names = live_tags(connection, world.repository_id)

    assert known == {
        "good": KnownTag(ONE.digest, None, None),
        "stale": KnownTag(ONE.digest, "timeout", TWO.digest),
        "bad": KnownTag(None, "not_found", None),
    }
    assert names == {"good", "stale", "bad"}


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_target_without_facts_is_refused(world: World) -> None:
    move = Move("latest", a_digest("nobody kept it"), None)

    with pytest.raises(StoreError) as caught, world.database.write() as connection:
        apply_moves(connection, world.claimed(connection), [move], world.now)

    assert caught.value.code == "unknown_digest"


Step = Callable[[Connection, Claim, int, datetime], object]
STEPS: dict[str, Step] = {
    "moves": lambda c, claim, _, now: apply_moves(
        c, claim, [Move("latest", TWO.digest, None)], now
    ),
    "failures": lambda c, claim, _, now: apply_failures(
        c, claim, [TagFailure("latest", "timeout", "10 s", None)], now
    ),
    "gone": lambda c, claim, _, now: apply_deleted(c, claim, ["latest"], now),
    "open_crawl": lambda c, claim, _, now: open_crawl(c, claim, now),
    "close_crawl": lambda c, claim, opened, now: close_crawl(
        c, claim, opened, a_result(), now, now
    ),
    "hold": lambda c, claim, _, now: hold(c, claim, now),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
def test_nothing_is_written_by_whoever_lost_the_claim(world: World, step: Step) -> None:
    world.crawl({"latest": ONE})
    world.keep(TWO)
    with world.database.write() as connection:
        late = world.claimed(connection)
        opened = open_crawl(connection, late, world.now).id
    with world.database.write() as connection:
        world.claimed(connection)

    with pytest.raises(StaleFence), world.database.write() as connection:
        step(connection, late, opened, world.now)

    tag = world.tags()["latest"]
    assert (tag.digest, tag.deleted_at, tag.error_code) == (ONE.digest, None, None)


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_claim_ends_with_its_crawl(world: World) -> None:
    with world.database.write() as connection:
        claim = world.claimed(connection)
        opened = open_crawl(connection, claim, world.now).id
        close_crawl(connection, claim, opened, a_result(), world.now, world.now)

    with pytest.raises(StaleFence), world.database.write() as connection:
        hold(connection, claim, world.now)


@pytest.mark.only_on("sqlite")  # where one connection counts across transactions
@pytest.mark.parametrize("count", [10, 300])
def test_a_second_look_that_finds_nothing_new_writes_the_same_few_rows(
    world: World, count: int
) -> None:
    images = [an_image([a_layer(n, 1000 + n)]) for n in range(count)]
    found: dict[str, Image] = {f"v{n}": image for n, image in enumerate(images)}
    failures = [TagFailure("bad", "timeout", "10 s", None)]
    world.crawl(found, failures=failures)
    with world.database.write() as connection:
        before = rows_written(connection)

    world.crawl(found, failures=[replace(failures[0], message="11 s")])

    with world.database.write() as connection:
        # claim, open_crawl (fence, row), moves (fence), failures (fence),
        # close_crawl (repository, row, registry_sums: it was crawled just now)
        assert rows_written(connection) - before == 8
