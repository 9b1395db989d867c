"""What all images on a base would save on its slimmer variant, as `GET /api/v1/bases`
has it: counted with what stands on each base."""

from collections.abc import Collection

import pytest
from sqlalchemy import update

from support.images import a_layer
from support.slim_bases import MB, SlimBases
from support.statements import counted
from support.store_world import MINUTE, World
from weighbridge.domain.base.savings import FleetSaving
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.report.base import BaseReport
from weighbridge.store.bases.fleet_savings import fleet_savings
from weighbridge.store.models import base_chains, image_bases
from weighbridge.store.read_model.base_summaries import refresh_base_summaries
from weighbridge.store.reports.bases import BaseQuery, base_page, find_base, savings_of
from weighbridge.store.session import Database

DEBIAN = a_layer("debian", 45 * MB)
FULL = [DEBIAN, a_layer("compilers", 270 * MB)]
THIN = a_layer("debian-slim", 22 * MB)
PYTHON = "library/python:3.7"
ARM = Platform("linux", "arm64")


def bases_of(bases: SlimBases, in_part: Collection[str] = ()) -> dict[str, BaseReport]:
    refresh_base_summaries(bases.world.database, bases.world.now, in_part)
    with bases.world.database.read() as connection:
        items = base_page(connection, BaseQuery(sort="saved")).items
    return {report.reference: report for report in items}


def numbers(report: BaseReport) -> tuple[int | None, ...]:
    """Of a pull; images and repositories; of storage."""
    return (
        report.saved_per_image_bytes,
        report.saving_images,
        report.saving_repositories,
        report.saved_stored_bytes,
    )


@pytest.fixture
def bases(database: Database) -> SlimBases:
    """Three images of two repositories on python:3.7, a fourth that only has its first
    layer."""
    first, second = (World(database, repository=f"acme/{name}") for name in "ab")
    found = SlimBases(first)
    found.base("full", FULL, PYTHON)
    found.base("slim", [THIN, a_layer("python", 28 * MB)], f"{PYTHON}-slim")
    first.crawl({"1": found.child("full", [a_layer("one", MB)])})
    first.crawl({"2": found.child("full", [a_layer("two", MB)])})
    second.crawl({"1": found.child("full", [a_layer("three", MB)])})
    return found


def test_each_shared_layer_counts_once(bases: SlimBases) -> None:
    report = bases_of(bases)[PYTHON]

    assert (report.variant_state, report.variant) == ("lighter", f"{PYTHON}-slim")
    assert report.variant_compressed_bytes == 50 * MB
    assert numbers(report) == (265 * MB, 3, 2, (315 - 50) * MB)
    assert report.saved_bytes == 2 * 265 * MB


def test_a_layer_that_others_have_too_stays(bases: SlimBases) -> None:
    other = World(bases.world.database, repository="acme/c")
    bases.base("debian", [DEBIAN], "library/debian:stretch")
    other.crawl({"1": bases.child("debian", [a_layer("four", MB)])})

    assert numbers(bases_of(bases)[PYTHON])[3] == (270 - 50) * MB


def test_builds_of_one_base_that_share_a_layer_leave_it_together(
    bases: SlimBases,
) -> None:
    """Neither of them alone would: the other's images have it too."""
    world = World(bases.world.database, repository="acme/c")
    left = {PYTHON: world.now - MINUTE}
    bases.base("old", [DEBIAN, a_layer("old", 200 * MB)], PYTHON, left_at=left)
    world.crawl({"1": bases.child("old", [a_layer("four", MB)])})

    report = bases_of(bases)[PYTHON]

    assert numbers(report) == (265 * MB, 4, 3, (45 + 270 + 200 - 50) * MB)


def test_it_is_what_the_page_of_the_base_says(bases: SlimBases) -> None:
    report = bases_of(bases)[PYTHON]
    with bases.world.database.read() as connection:
        found = find_base(connection, "python:3.7", bases.world.now)
        assert found is not None
        (saving,) = savings_of(connection, found)

    fleet = saving.fleet
    assert fleet is not None
    assert numbers(report) == (
        saving.saved_bytes,
        fleet.images,
        fleet.repositories,
        fleet.stored_bytes,
    )


def test_what_storage_would_save_is_unknown_where_tags_are_left_out(
    bases: SlimBases,
) -> None:
    report = bases_of(bases, {bases.world.registry})[PYTHON]

    assert numbers(report) == (265 * MB, 3, 2, None)


def test_it_is_unknown_where_the_layers_of_a_base_are_not_kept(
    bases: SlimBases,
) -> None:
    with bases.world.database.write() as connection:
        chain = bases.known.ids["full"]
        connection.execute(
            update(base_chains).where(base_chains.c.id == chain).values(image_id=None)
        )

    assert numbers(bases_of(bases)[PYTHON]) == (265 * MB, 3, 2, None)


def test_images_that_were_found_by_their_lines_have_other_layers(
    bases: SlimBases,
) -> None:
    with bases.world.database.write() as connection:
        connection.execute(update(image_bases).values(found_by="history"))

    report = bases_of(bases)[PYTHON]

    assert numbers(report) == (265 * MB, 0, 0, 0)
    assert report.saved_bytes is None


def test_why_there_is_no_variant(bases: SlimBases) -> None:
    world = World(bases.world.database, repository="acme/c")
    bases.base("alpine", [a_layer("alpine", 4 * MB)], "library/alpine:3.24")
    bases.base("cuda", [a_layer("cuda", 2_640 * MB)], "acme/cuda:12.8")
    bases.base("odd", [a_layer("odd", MB)], "acme/odd:1")
    for build in ("slim", "alpine", "cuda", "odd"):
        world.crawl({build: bases.child(build, [a_layer(build + "+", MB)])})
    with bases.world.database.write() as connection:
        chain = bases.known.ids["odd"]
        connection.execute(
            update(base_chains)
            .where(base_chains.c.id == chain)
            .values(platform_id=None)
        )

    found = bases_of(bases)

    assert {name: report.variant_state for name, report in found.items()} == {
        PYTHON: "lighter",
        f"{PYTHON}-slim": "smallest",
        "library/alpine:3.24": "smallest",
        "acme/cuda:12.8": "none",
        "acme/odd:1": "unknown",
    }
    assert numbers(found["acme/cuda:12.8"]) == (None, None, None, None)
    assert numbers(found["acme/odd:1"]) == (None, None, None, None)


def test_the_variant_is_that_of_the_build_that_is_shown(bases: SlimBases) -> None:
    """On which no image may stand yet: the name has just moved to it."""
    world = bases.world
    bases.base("new", [a_layer("new", 300 * MB)], "library/python:3.8")
    bases.base("thin", [a_layer("thin", 60 * MB)], "library/python:3.8-slim")
    left = {"library/python:3.8": world.now - MINUTE}
    bases.base("old", [a_layer("o", 400 * MB)], "library/python:3.8", left_at=left)
    place = World(world.database, repository="acme/c")
    place.crawl({"1": bases.child("old", [a_layer("four", MB)])})

    report = bases_of(bases)["library/python:3.8"]

    assert report.compressed_bytes == 300 * MB
    assert numbers(report) == (240 * MB, 1, 1, 340 * MB)
    assert report.saved_bytes == 340 * MB


def test_more_bases_and_repositories_are_no_more_statements(bases: SlimBases) -> None:
    bases_of(bases)
    with counted() as before:
        bases_of(bases)
    for name in "cdef":
        world = World(bases.world.database, repository=f"acme/{name}")
        bases.base(name, [a_layer(name, 300 * MB)], f"library/python:3.7-{name}")
        bases.base(f"{name}s", [a_layer(f"{name}s", MB)], f"{PYTHON}-slim-{name}")
        world.crawl({"1": bases.child(name, [a_layer(f"{name} own", MB)])})
    bases_of(bases)
    with counted() as after:
        bases_of(bases)

    assert len(after) == len(before)


def test_of_too_many_storage_scopes_what_they_would_save_is_unknown(
    bases: SlimBases,
) -> None:
    ids = bases.known.ids
    with bases.world.database.read() as connection:
        found = fleet_savings(connection, {7: {ids["full"]: ids["slim"]}}, most=0)

    assert found == {7: FleetSaving(3, 2, None)}
