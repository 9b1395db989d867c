"""Lists of repositories: filters, orders, pages."""

from itertools import pairwise

import pytest
from sqlalchemy import update

from support.images import a_layer, an_image
from support.store_world import T0, World, an_entry
from weighbridge.domain.report.inventory import RepositoryReport
from weighbridge.store.models import repository_summaries
from weighbridge.store.registries.registry_rows import put_registry
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.reports.inventory import inventory_pieces
from weighbridge.store.reports.repositories import (
    SORTS,
    RepositoryQuery,
    find_repository,
    repository_page,
)
from weighbridge.store.reports.search import search
from weighbridge.store.session import Database

pytestmark = pytest.mark.slow


def repositories_with(database: Database, sizes: dict[str, int | None]) -> None:
    """Repositories of one registry whose newest image has this size."""
    with database.write() as connection:
        registry = put_registry(connection, an_entry(), T0)
        ids = put_repositories(connection, registry, list(sizes), T0)
        for name, compressed_bytes in sizes.items():
            connection.execute(
                update(repository_summaries)
                .where(repository_summaries.c.repository_id == ids[name])
                .values(
                    newest_compressed_bytes=compressed_bytes,
                    baseline_compressed_bytes=100,
                )
            )


def listed(database: Database, query: RepositoryQuery) -> list[RepositoryReport]:
    """All pages of a query, one after the other."""
    rows: list[RepositoryReport] = []
    cursor = None
    with database.read() as connection:
        while True:
            page = repository_page(
                connection,
                RepositoryQuery(
                    registry=query.registry,
                    q=query.q,
                    sort=query.sort,
                    order=query.order,
                    limit=query.limit,
                    cursor=cursor,
                ),
            )
            rows += page.items
            cursor = page.next_cursor
            if cursor is None:
                return rows
            assert len(page.items) == query.limit


def names(database: Database, query: RepositoryQuery) -> list[str]:
    return [row.repository for row in listed(database, query)]


SIZES = {"a": 5, "b": None, "c": 9, "d": 5, "e": None, "f": 0, "g": 5}


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_hold_every_row_once_and_rows_without_a_value_come_last(
    database: Database, limit: int
) -> None:
    repositories_with(database, SIZES)

    falling = names(database, RepositoryQuery(order="desc", limit=limit))
    rising = names(database, RepositoryQuery(order="asc", limit=limit))

    assert falling == ["c", "g", "d", "a", "f", "e", "b"]
    assert rising == ["f", "a", "d", "g", "c", "b", "e"]


@pytest.fixture(scope="module")
def four(module_database: Database) -> Database:
    """Three repositories with images, and an empty one."""
    for number, name in enumerate(("one", "two", "three")):
        world = World(module_database, repository=name)
        for version in range(number * 2 + 1):
            image = an_image([a_layer((name, version), 100 * (version + number))])
            world.crawl({f"v{version}": image})
    World(module_database, repository="empty")
    return module_database


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort", SORTS)
def test_every_sort_gives_every_repository_once(
    four: Database, sort: str, order: str
) -> None:
    query = RepositoryQuery(sort=sort, order=order, limit=1)

    assert sorted(names(four, query)) == ["empty", "one", "three", "two"]


def test_growth_is_a_ratio_to_the_baseline(database: Database) -> None:
    repositories_with(database, {"shrunk": 50, "grown": 130, "same": 100, "new": None})

    grown = names(database, RepositoryQuery(sort="growth", limit=1))

    assert grown == ["grown", "same", "shrunk", "new"]


def test_names_are_sorted_with_their_registry(database: Database) -> None:
    for registry, name in (("b", "a"), ("a", "z"), ("a", "b")):
        World(database, registry=registry, repository=name)

    rows = listed(database, RepositoryQuery(sort="name", order="asc", limit=2))

    full = [f"{row.registry}/{row.repository}" for row in rows]
    assert full == ["a/b", "a/z", "b/a"]


def test_a_page_may_be_of_one_registry(database: Database) -> None:
    World(database, registry="one", repository="x")
    World(database, registry="two", repository="y")

    assert names(database, RepositoryQuery(registry="two")) == ["y"]
    assert names(database, RepositoryQuery(registry="three")) == []


def test_a_page_may_be_of_names_that_hold_a_text(database: Database) -> None:
    repositories_with(database, dict.fromkeys(["library/python", "acme/pyre", "go"]))

    found = names(database, RepositoryQuery(q="PY", sort="name", order="asc", limit=1))

    assert found == ["acme/pyre", "library/python"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("%", id="api-002-percent"),
        pytest.param("_", id="api-002-underscore"),
        pytest.param("\\", id="api-002-backslash"),
        pytest.param("%%%%%%%", id="api-002-many"),
        pytest.param("%' UNION SELECT 1", id="api-001-union"),
        pytest.param("' OR 1=1--", id="api-001-or"),
        pytest.param("\udcff", id="surrogate"),
        pytest.param("\0", id="nul"),
    ],
)
def test_a_text_matches_only_itself(database: Database, text: str) -> None:
    repositories_with(database, {"a/b": 1, "c": 2})

    assert names(database, RepositoryQuery(q=text)) == []
    assert names(database, RepositoryQuery(registry=text)) == []
    with database.read() as connection:
        assert search(connection, text, 10).hits == []
        assert find_repository(connection, text, text) is None


def test_api_002_an_underscore_matches_an_underscore(database: Database) -> None:
    repositories_with(database, {"a_b": 1, "axb": 2})

    assert names(database, RepositoryQuery(q="a_b")) == ["a_b"]
    with database.read() as connection:
        assert [hit.repository for hit in search(connection, "a_b", 10).hits] == ["a_b"]


def test_a_slash_is_looked_for_as_it_is(database: Database) -> None:
    repositories_with(database, {"a/b": 1, "ab": 2})

    assert names(database, RepositoryQuery(q="a/")) == ["a/b"]


def test_all_rows_come_in_order_of_their_names(database: Database) -> None:
    repositories_with(database, {f"r{number:04}": 1 for number in range(1500)})

    with database.read() as connection:
        pieces = list(inventory_pieces(connection, ["compressed"]))

    found = [row.repository for piece in pieces for row in piece]
    assert len(found) == 1500
    assert all(one < two for one, two in pairwise(found))
    assert max(map(len, pieces)) <= 500


def test_an_unknown_repository_is_not_found(world: World) -> None:
    with world.database.read() as connection:
        assert find_repository(connection, "hub", "unknown") is None
        assert find_repository(connection, "unknown", "acme/app") is None


def test_search_finds_repositories_before_tags_and_short_names_first(
    world: World,
) -> None:
    image = an_image()
    world.crawl({"python-3": image, "3-python": image, "py": image, "other": image})
    World(world.database, repository="library/python")
    World(world.database, repository="py")

    with world.database.read() as connection:
        hits = search(connection, "py", 100).hits
        few = search(connection, "py", 3).hits

    found = [(hit.repository, hit.tag) for hit in hits]
    assert found == [
        ("py", None),
        ("library/python", None),
        ("acme/app", "py"),
        ("acme/app", "3-python"),
        ("acme/app", "python-3"),
    ]
    assert few == hits[:3]


def test_search_finds_no_tags_that_are_gone_and_none_for_one_character(
    world: World,
) -> None:
    world.crawl({"old-one": an_image(), "x": an_image()})
    world.crawl(deleted=["old-one"])

    with world.database.read() as connection:
        assert search(connection, "old", 10).hits == []
        assert search(connection, "x", 10).hits == []


def test_a_cursor_goes_on_in_its_own_order(database: Database) -> None:
    repositories_with(database, {"acme/a": 1, "acme/b": 3, "acme/c": 2})
    by_name = RepositoryQuery(sort="name", order="asc", limit=1)

    with database.read() as connection:
        cursor = repository_page(connection, by_name).next_cursor
        rest = repository_page(connection, RepositoryQuery(cursor=cursor))

    assert [row.repository for row in rest.items] == ["acme/b", "acme/c"]
