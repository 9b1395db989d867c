"""Which layers wait to be measured, and the totals made of what was found."""

from sqlalchemy import select, text

from support.answering import answer, keep_sizes
from support.images import a_digest, a_layer, an_artifact_of, an_image, an_index_of
from support.store_world import World
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.size.confidence import MeasuredBlob, Uncompressed
from weighbridge.store.models import blob_sizes, blobs
from weighbridge.store.models.types import LARGEST
from weighbridge.store.sizes.unmeasured import (
    START,
    Unmeasured,
    unmeasured_blobs,
    waiting_manifests,
)


def exactly(uncompressed_bytes: int) -> Uncompressed:
    return Uncompressed(
        "exact", uncompressed_bytes, uncompressed_bytes, uncompressed_bytes
    )


UNKNOWN = Uncompressed("unknown", None, None, None, "registry_error")


def waiting(world: World, limit: int = 100) -> list[Unmeasured]:
    with world.database.read() as connection:
        places = waiting_manifests(connection, world.registry_id, START, 1_000)
        found = unmeasured_blobs(connection, places, limit, world.now)
    return [item for item in found if item.is_layer]


def measure(world: World, **found: Uncompressed) -> int:
    """Keep measures of layers by their names, and sweep."""
    with world.database.write() as connection:
        measures = {a_digest(name): size for name, size in found.items()}
        return keep_sizes(connection, world.scope_id, measures, world.now).count


def totals(world: World) -> list[tuple[object, ...]]:
    with world.database.read() as connection:
        rows = connection.execute(
            text(
                "SELECT uncompressed_bytes, uncompressed_confidence FROM image_facts"
                " ORDER BY compressed_bytes"
            )
        )
        return [tuple(row) for row in rows]


def test_the_largest_layer_of_a_live_image_comes_first(world: World) -> None:
    small, large = a_layer("small", 10), a_layer("large", 99)
    world.crawl({"latest": an_image([small, large])})

    assert waiting(world) == [
        Unmeasured(world.scope_id, large, "acme/app"),
        Unmeasured(world.scope_id, small, "acme/app"),
    ]
    assert waiting(world, limit=1) == [Unmeasured(world.scope_id, large, "acme/app")]


def test_only_layers_that_this_registry_serves_are_asked_for(world: World) -> None:
    other = World(world.database, registry="other", now=world.now)
    world.crawl({"a": an_image([a_layer("mine", 5), a_layer("both", 4)])})
    other.crawl({"a": an_image([a_layer("theirs", 6), a_layer("both", 4)])})
    world.keep(an_image([a_layer("of no tag", 7)]))

    names = [item.layer.digest for item in waiting(world)]

    assert names == [a_digest("mine"), a_digest("both")]


def test_layers_below_an_index_are_asked_for(world: World) -> None:
    image = an_image([a_layer("deep", 5)])
    world.keep(image)
    world.crawl({"latest": an_index_of(image)})

    assert [item.layer.digest for item in waiting(world)] == [a_digest("deep")]


def test_a_foreign_layer_is_asked_for_and_of_an_artifact_the_length_alone(
    world: World,
) -> None:
    windows = a_layer("windows", 10**9, is_foreign=True)
    world.crawl(
        {"ltsc": an_image([windows]), "chart": an_artifact_of(a_layer("chart", 70))}
    )
    config = an_artifact_of(a_layer("chart", 70)).config
    assert config is not None

    with world.database.read() as connection:
        places = waiting_manifests(connection, world.registry_id, START, 1_000)
        found = unmeasured_blobs(connection, places, 100, world.now)

    assert {(item.layer.digest, item.is_layer) for item in found} == {
        (a_digest("windows"), True),
        (a_digest("chart"), False),
        (config.digest, False),
    }
    assert [item.layer for item in found if item.is_layer] == [windows]


def test_a_measured_layer_waits_no_more_and_keeps_its_measure(world: World) -> None:
    world.crawl({"latest": an_image([a_layer("one", 10)])})

    measure(world, one=Uncompressed("estimate", 50, 40, 60, "ambiguous_isize"))
    measure(world, unheard_of=exactly(1))

    assert waiting(world) == []
    with world.database.read() as connection:
        row = connection.execute(
            select(blob_sizes)
            .join(blobs, blobs.c.id == blob_sizes.c.blob_id)
            .where(blobs.c.digest == a_digest("one"))
        ).one()
    assert (row.scope_id, row.registry_bytes) == (world.scope_id, 10)
    assert row.uncompressed_confidence == "estimate"
    assert row.uncompressed_bytes == 50
    assert (row.uncompressed_low_bytes, row.uncompressed_high_bytes) == (40, 60)
    assert row.uncompressed_reason == "ambiguous_isize"
    assert (row.asked_at, row.ask_again_at) == (world.now, None)


def test_an_image_has_a_total_once_all_its_layers_are_measured(world: World) -> None:
    world.crawl({"latest": an_image([a_layer("one", 10), a_layer("two", 20)])})

    assert measure(world, one=exactly(100)) == 0
    assert totals(world) == [(None, None)]

    assert measure(world, two=exactly(250)) == 1
    assert totals(world) == [(350, "exact")]


def test_a_total_counts_every_occurrence_of_a_layer(world: World) -> None:
    twice = a_layer("twice", 10)
    world.crawl({"latest": an_image([twice, twice])})

    measure(world, twice=exactly(100))

    assert totals(world) == [(200, "exact")]


def test_a_layer_that_stays_unknown_makes_the_total_unknown(world: World) -> None:
    world.crawl({"latest": an_image([a_layer("one", 10), a_layer("two", 20)])})

    measure(world, one=exactly(100), two=UNKNOWN)

    assert totals(world) == [(None, "unknown")]


def test_an_image_with_a_foreign_layer_has_a_total_that_is_claimed(
    world: World,
) -> None:
    windows = a_layer("windows", 10**9, is_foreign=True)
    world.crawl({"ltsc": an_image([windows, a_layer("own", 5)])})
    absent = MeasuredBlob(None, UNKNOWN, "not_found")
    answers = {
        a_digest("windows"): absent,
        a_digest("own"): MeasuredBlob(5, exactly(100)),
    }

    assert answer(world.database, world.scope_id, answers, world.now).count == 1

    assert totals(world) == [(None, "unknown")]
    assert world.tags()["ltsc"].compressed_confidence == "claimed"
    assert world.tags()["ltsc"].compressed_bytes == 10**9 + 5


def test_a_total_is_made_once(world: World) -> None:
    world.crawl({"latest": an_image([a_layer("one", 10)])})
    measure(world, one=exactly(100))

    assert measure(world) == 0


def test_a_new_image_of_measured_layers_has_its_total_at_the_next_sweep(
    world: World,
) -> None:
    world.crawl({"1": an_image([a_layer("one", 10)])})
    measure(world, one=exactly(100))
    again = an_image([a_layer("one", 10)], platform=Platform("linux", "s390x"))
    world.crawl({"2": again})

    assert measure(world) == 1

    assert totals(world) == [(100, "exact"), (100, "exact")]


def test_many_images_get_their_totals_in_one_sweep(world: World) -> None:
    world.keep(*(an_image([a_layer(str(n), n)]) for n in range(1200)))

    swept = measure(world, **{str(n): exactly(n * 2) for n in range(1200)})

    assert swept == 1200
    assert totals(world) == [(n * 2, "exact") for n in range(1200)]


def test_the_read_model_gets_the_total_that_it_was_waiting_for(world: World) -> None:
    world.crawl({"latest": an_image([a_layer("one", 10)])})
    assert world.report().newest_uncompressed_bytes is None

    measure(world, one=exactly(100))

    report = world.report()
    assert report.newest_uncompressed_bytes == 100
    assert report.newest_uncompressed_confidence == "exact"


def test_a_measure_beyond_64_bits_does_not_stop_a_sweep(world: World) -> None:
    world.crawl({"latest": an_image([a_layer("one", 10), a_layer("two", 20)])})
    huge = Uncompressed("annotation", 10**30, 10, 10**30, "claimed")

    measure(world, one=huge, two=huge)

    assert totals(world) == [(LARGEST, "annotation")]
