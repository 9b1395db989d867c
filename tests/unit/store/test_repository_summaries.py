"""The read model's row: newest image, baseline, heaviest line, sums."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from support.images import a_digest, a_layer, an_artifact_of, an_image, an_index_of
from support.store_world import World
from weighbridge.domain.image.document import Image, Line, Unweighable
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.size.weigh_image import weigh_image
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.models.types import LARGEST
from weighbridge.store.read_model.summaries import refresh_summary
from weighbridge.store.reports.inventory import registry_reports
from weighbridge.store.reports.repositories import RepositoryQuery, repository_page

ARM = Platform("linux", "arm64")
AMD = Platform("linux", "amd64")


def sized(compressed_bytes: int, *, platform: Platform = AMD) -> Image:
    """An image of one layer, unlike any of another size."""
    return an_image(
        [a_layer((compressed_bytes, platform), compressed_bytes)], platform=platform
    )


def revision(connection: Connection) -> int:
    found: int = connection.exec_driver_sql(
        "SELECT revision FROM repository_summaries"
    ).scalar_one()
    return found


def test_an_empty_repository_has_sums_and_no_newest_image(world: World) -> None:
    world.crawl()

    report = world.report()

    assert (report.tags, report.images) == (0, 0)
    assert (report.newest_tag, report.newest_digest, report.newest_by) == (None,) * 3
    assert (report.referenced_bytes, report.weighed_bytes) == (0, 0)
    assert report.largest_compressed_bytes is None


def test_the_newest_image_is_the_one_that_was_pushed_last(world: World) -> None:
    pushed = datetime(2026, 2, 1, tzinfo=UTC)
    world.crawl({"new": sized(10)}, pushed_at=pushed)
    world.crawl({"latest": sized(20)}, pushed_at=pushed - timedelta(days=1))

    report = world.report()

    assert (report.newest_tag, report.newest_by) == ("new", "pushed")
    assert (report.newest_at, report.newest_compressed_bytes) == (pushed, 10)


def test_without_push_times_the_tag_that_moved_last_is_the_newest(
    world: World,
) -> None:
    world.crawl({"latest": sized(10), "9.0": sized(20)})

    world.crawl({"1.0": sized(30)})

    report = world.report()
    assert (report.newest_tag, report.newest_by) == ("1.0", "moved")
    assert report.newest_at == world.now
    assert report.newest_digest == sized(30).digest


def test_the_first_complete_crawl_is_ordered_by_names(world: World) -> None:
    world.crawl({"1.9.0": sized(10), "1.10.0": sized(20), "beta": sized(30)})

    report = world.report()

    assert (report.newest_tag, report.newest_by) == ("1.10.0", "version")
    assert report.newest_layers == 1


def test_the_headline_of_an_index_is_the_preferred_platform(world: World) -> None:
    arm, amd = sized(10, platform=ARM), sized(20, platform=AMD)
    world.keep(arm, amd)
    world.crawl({"latest": an_index_of(amd, arm)})
    assert world.report().newest_platform == "linux/amd64"

    world.platforms = [ARM, AMD]
    world.crawl()

    report = world.report()
    assert report.newest_platform == "linux/arm64"
    assert (report.newest_compressed_bytes, report.newest_digest) == (10, arm.digest)


def test_the_baseline_is_the_median_of_the_images_before(world: World) -> None:
    for compressed_bytes in (100, 300, 200):
        world.crawl({f"v{compressed_bytes}": sized(compressed_bytes)})
    assert world.report().baseline_compressed_bytes is None

    world.crawl({"newest": sized(900)})

    assert world.report().baseline_compressed_bytes == 200


def test_the_heaviest_line_is_that_of_the_newest_image(world: World) -> None:
    image = an_image(
        [a_layer("base", 10), a_layer("deps", 500), a_layer("app", 20)],
        lines=[
            Line("ADD rootfs", None, 0),
            Line("RUN pip install torch", None, 1),
            Line("COPY . .", None, 2),
        ],
    )
    world.crawl({"latest": image})

    report = world.report()

    assert report.heaviest_instruction == "RUN pip install torch"
    assert report.heaviest_compressed_bytes == 500


@pytest.mark.parametrize(
    "weights",
    [(5, 30, 20), (7, 7), (0,), (0, 0, 3), (), (9, 4, 9), (4, 9, 4, 9), (1, 0, 8, 8)],
)
def test_the_heaviest_line_is_the_first_that_pulls_most(
    world: World, weights: tuple[int, ...]
) -> None:
    """Layers of one weight are one blob here, which is pulled once."""
    image = an_image(
        [a_layer(weight, weight) for weight in weights],
        lines=[Line(f"RUN step-{n}", None, n) for n in range(len(weights))],
    )
    world.crawl({"latest": image})

    report = world.report()

    expected = max(
        (line for line in weigh_image(image, {}).lines if line.compressed_bytes),
        key=lambda line: line.compressed_bytes or 0,
        default=None,
    )
    assert (report.heaviest_instruction, report.heaviest_compressed_bytes) == (
        (expected.instruction, expected.compressed_bytes) if expected else (None, None)
    )


def test_no_line_is_the_heaviest_where_lines_name_no_layers(world: World) -> None:
    image = an_image(
        [a_layer()], lines=[Line("RUN x", None, None)], history_alignment="unresolved"
    )
    world.crawl({"latest": image})

    report = world.report()

    assert report.heaviest_instruction is None
    assert report.heaviest_compressed_bytes is None


def test_weighed_bytes_count_an_image_once_and_references_each_tag(
    world: World,
) -> None:
    one, two = sized(100), sized(30)
    index = an_index_of(one, two)
    world.keep(one, two)

    world.crawl({"a": one, "b": one, "all": index})

    report = world.report()
    assert (report.images, report.weighed_bytes) == (2, 130)
    assert report.largest_compressed_bytes == 100
    stored = 3 * one.stored_bytes + two.stored_bytes + index.manifest_bytes
    assert report.referenced_bytes == stored


def test_artifacts_and_unweighable_manifests_count_in_storage_only(
    world: World,
) -> None:
    chart = an_artifact_of(a_layer("chart", 70), role="artifact")
    old = Unweighable(a_digest("old"), "application/x", 700, "schema1")

    world.crawl({"chart": chart, "old": old})

    report = world.report()
    assert (report.tags, report.images, report.weighed_bytes) == (2, 0, 0)
    assert report.referenced_bytes == chart.stored_bytes + 700
    assert report.newest_tag is None


def test_a_row_that_stays_the_same_is_not_written(world: World) -> None:
    world.crawl({"latest": sized(10)})

    with world.database.write() as connection:
        before = revision(connection)
        later = world.now + timedelta(days=9)
        refresh_summary(connection, world.repository_id, later, [AMD])

        assert revision(connection) == before


def test_manifest_010_sums_beyond_64_bits_break_no_report(world: World) -> None:
    world.crawl({"a": sized(LARGEST), "b": sized(LARGEST - 1)})
    second = World(world.database, repository="second", now=world.now)
    second.crawl({"a": sized(LARGEST)})

    settle_all(world.database)
    with world.database.read() as connection:
        (registry,) = registry_reports(connection)
        rows = repository_page(connection, RepositoryQuery()).items

    assert [row.weighed_bytes for row in rows] == [LARGEST, LARGEST]
    assert registry.weighed_bytes == LARGEST  # what the settler's column can hold
    assert registry.referenced_bytes == 2 * LARGEST
