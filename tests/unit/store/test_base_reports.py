"""Lists of bases, one base by any of its names, and the images on it."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import insert, text

from support.images import a_layer, an_image, an_index_of
from support.known_bases import KnownBases, a_fleet_on_bases
from support.store_world import T0, World
from weighbridge.domain.report.base import BaseImageReport, BaseReport
from weighbridge.errors import UsageError
from weighbridge.store.models import base_repositories
from weighbridge.store.read_model.base_summaries import refresh_base_summaries
from weighbridge.store.reports.base_images import BaseImageQuery, base_image_page
from weighbridge.store.reports.bases import (
    BASE_SORTS,
    BaseQuery,
    base_page,
    base_totals,
    find_base,
    nearest_bases,
)
from weighbridge.store.session import Database

PYTHON = "library/python:3.7"
ALPINE = "library/alpine:3.9"
CUDA = "registry.example/base/cuda:12.8"


@pytest.fixture(scope="module")
def known(module_database: Database) -> KnownBases:
    """For tests that only read."""
    return a_fleet_on_bases(module_database)


@pytest.fixture
def own(database: Database) -> KnownBases:
    """The same for one that writes."""
    return a_fleet_on_bases(database)


def names(database: Database, query: BaseQuery) -> list[str]:
    with database.read() as connection:
        return [row.reference for row in base_page(connection, query).items]


def every_base(database: Database, query: BaseQuery) -> Iterator[BaseReport]:
    """Of all pages."""
    cursor = None
    while True:
        with database.read() as connection:
            wanted = BaseQuery(
                q=query.q,
                outdated=query.outdated,
                sort=query.sort,
                order=query.order,
                limit=query.limit,
                cursor=cursor,
            )
            page = base_page(connection, wanted)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return


def images_on(
    database: Database,
    reference: str,
    *,
    limit: int = 100,
    outdated: bool | None = None,
) -> list[BaseImageReport]:
    """Of all pages."""
    found: list[BaseImageReport] = []
    cursor = None
    while True:
        with database.read() as connection:
            base = find_base(connection, reference, NOW)
            assert base is not None
            query = BaseImageQuery(outdated, limit, cursor)
            page = base_image_page(connection, base, query)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found


NOW = T0 + timedelta(days=30)


def test_bases_are_listed_by_the_bytes_on_them(known: KnownBases) -> None:
    with known.database.read() as connection:
        page = base_page(connection, BaseQuery())

    first = page.items[0]
    assert [row.reference for row in page.items] == [PYTHON, ALPINE, CUDA]
    assert (first.images, first.outdated_images, first.builds) == (3, 2, 2)
    assert (first.repositories, first.outdated_repositories) == (2, 1)
    assert first.weighed_bytes == 2_120_000_000
    assert first.base_bytes == 300_000_000 * 2 + 320_000_000
    assert first.stored_bytes == 620_000_000  # each build once in the registry
    assert first.compressed_bytes == 320_000_000  # of what the name leads to now
    assert first.share == 0.434


def test_what_is_not_known_is_null_and_comes_last(known: KnownBases) -> None:
    for sort in ("own", "stored", "compressed", "outdated", "rebuild"):
        for order in ("asc", "desc"):
            found = list(every_base(known.database, BaseQuery(sort=sort, order=order)))

            assert found[-1].reference == CUDA
            assert found[-1].own_bytes is found[-1].compressed_bytes is None


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort", BASE_SORTS)
def test_pages_of_one_make_the_whole_list(
    known: KnownBases, sort: str, order: str
) -> None:
    whole = names(known.database, BaseQuery(sort=sort, order=order))
    paged = every_base(known.database, BaseQuery(sort=sort, order=order, limit=1))

    assert sorted(whole) == sorted([PYTHON, ALPINE, CUDA])
    assert [row.reference for row in paged] == whole


def test_a_list_is_filtered_by_name_and_by_what_is_outdated(known: KnownBases) -> None:
    assert names(known.database, BaseQuery(q="PYTH")) == [PYTHON]
    assert names(known.database, BaseQuery(q="%")) == []
    assert names(known.database, BaseQuery(outdated=True)) == [PYTHON]
    assert names(known.database, BaseQuery(outdated=False)) == [ALPINE, CUDA]


def test_what_no_list_is_sorted_by_is_refused(known: KnownBases) -> None:
    with (
        known.database.read() as connection,
        pytest.raises(UsageError, match="cannot be sorted") as caught,
    ):
        base_page(connection, BaseQuery(sort="colour"))

    assert caught.value.code == "invalid_sort"


def test_all_bases_together_count_each_image_once(known: KnownBases) -> None:
    with known.database.read() as connection:
        totals = base_totals(connection)

    assert totals == (3, 3, 1, 2_132_000_000, 924_000_000, 624_000_000, 0)


@pytest.mark.parametrize(
    "name",
    [
        "python:3.7",
        "library/python:3.7",
        "docker.io/library/python:3.7",
        "docker.io/python:3.7",
        "python:3.7.9",  # another tag of the old build
    ],
)
def test_a_base_is_found_by_each_of_its_names(known: KnownBases, name: str) -> None:
    with known.database.read() as connection:
        found = find_base(connection, name, known.now)

    assert found is not None
    assert found.report.reference == PYTHON
    assert [build.state for build in found.builds] == ["outdated", "current"]


def test_a_base_is_found_by_the_repository_that_is_crawled_for_it(
    own: KnownBases,
) -> None:
    mirror = World(own.database, repository="mirror/python")
    with own.database.write() as connection:
        connection.execute(
            insert(base_repositories).values(
                repository_id=mirror.repository_id,
                host="docker.io",
                repository="library/python",
                is_recorded=True,
            )
        )

    with own.database.read() as connection:
        found = find_base(connection, "hub/mirror/python:3.7", own.now)

    assert found is not None
    assert found.report.reference == PYTHON


@pytest.mark.parametrize("name", ["python:3.8", "debian", "no reference!", "a@b"])
def test_what_nothing_stands_on_is_not_found(known: KnownBases, name: str) -> None:
    with known.database.read() as connection:
        assert find_base(connection, name, known.now) is None


def test_the_nearest_names_are_those_of_bases(known: KnownBases) -> None:
    with known.database.read() as connection:
        assert nearest_bases(connection, "pyhton:3.7")[0] == PYTHON
        assert nearest_bases(connection, "docker.io/library/alpine:3.8")[0] == ALPINE
        assert nearest_bases(connection, "entirely/different") == []


def test_what_is_to_be_built_anew_comes_first(known: KnownBases) -> None:
    found = images_on(known.database, PYTHON)

    shown = [(row.repository, row.tags, row.base_state, row.is_newest) for row in found]
    assert shown == [
        ("shop/api", ("1.0",), "outdated", False),
        ("shop/cart", ("6.3.0",), "outdated", True),
        ("shop/api", ("1.1", "latest"), "current", True),
    ]
    assert [row.own_bytes for row in found] == [500_000_000, 100_000_000, 600_000_000]
    assert found[0].base_left_at == known.now + timedelta(days=2)
    assert found[2].base_left_at is None


def test_pages_of_one_image_make_the_whole_list(known: KnownBases) -> None:
    whole = images_on(known.database, PYTHON)

    assert images_on(known.database, PYTHON, limit=1) == whole
    assert images_on(known.database, PYTHON, limit=1, outdated=True) == whole[:2]
    assert images_on(known.database, PYTHON, limit=1, outdated=False) == whole[2:]


def test_images_that_no_tag_leads_to_are_passed_over_a_few_at_a_time(
    own: KnownBases,
) -> None:
    whole = images_on(own.database, PYTHON)
    with own.database.write() as connection:
        connection.execute(
            text(
                "INSERT INTO image_bases (image_id, base_chain_id, relation, found_by)"
                " WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL"
                " SELECT n + 1 FROM numbers WHERE n < 12000)"
                " SELECT 1000000 + n, :chain, 0, 1 FROM numbers"
            ),
            {"chain": own.ids["python"]},
        )

    with own.database.read() as connection:
        base = find_base(connection, PYTHON, NOW)
        assert base is not None
        first = base_image_page(connection, base, BaseImageQuery())
        second = base_image_page(
            connection, base, BaseImageQuery(cursor=first.next_cursor)
        )

    assert list(first.items) == whole
    assert second.items == ()
    assert second.next_cursor is not None
    assert images_on(own.database, PYTHON) == whole


def test_an_image_of_an_index_has_the_indexs_tags(world: World) -> None:
    known = KnownBases(world.database, world.now)
    known.base("debian", "library/debian:9")
    amd64, arm64 = (an_image(layers=[a_layer(n)]) for n in ("amd64", "arm64"))
    world.keep(amd64, arm64)
    world.crawl({"1.0": an_index_of(amd64, arm64), "only": arm64})
    for image in (amd64, arm64):
        known.stands_on(image.digest, "debian")
    refresh_base_summaries(world.database, world.now)

    found = images_on(world.database, "debian:9")

    by_digest = {row.digest: row.tags for row in found}
    assert by_digest == {amd64.digest: ("1.0",), arm64.digest: ("1.0", "only")}


def test_of_a_repository_with_too_many_tags_none_is_looked_for(
    world: World,
) -> None:
    known = KnownBases(world.database, world.now)
    known.base("debian", "library/debian:9")
    image = an_image()
    world.crawl({"1.0": image})
    known.stands_on(image.digest, "debian")
    refresh_base_summaries(world.database, world.now)
    with world.database.write() as connection:
        connection.execute(text("UPDATE repository_summaries SET tag_count = 20001"))

    assert [row.tags for row in images_on(world.database, "debian:9")] == [None]
