"""A search looks through so many names and no more, and says so."""

import pytest
from sqlalchemy import update

from support.images import an_image
from support.many_repositories import add_repositories, some_names
from support.store_world import World
from weighbridge.store.models import tags
from weighbridge.store.reports.repositories import (
    LOOKED_THROUGH,
    RepositoryQuery,
    repository_page,
)
from weighbridge.store.reports.search import REPOSITORIES, TAGS, search
from weighbridge.store.session import Database

pytestmark = pytest.mark.slow


def test_a_page_goes_on_where_the_last_one_stopped_looking(
    database: Database,
) -> None:
    add_repositories(database, ["lightest/one", *some_names(LOOKED_THROUGH)])

    with database.read() as connection:
        first = repository_page(connection, RepositoryQuery(q="lightest"))
        second = repository_page(
            connection, RepositoryQuery(q="lightest", cursor=first.next_cursor)
        )

    assert (first.items, first.next_cursor is None) == ((), False)
    assert [row.repository for row in second.items] == ["lightest/one"]
    assert second.next_cursor is None


def test_a_page_of_two_registries_goes_on_in_their_common_order(
    database: Database,
) -> None:
    half = LOOKED_THROUGH // 2
    add_repositories(database, ["light/hub", *some_names(half)])
    add_repositories(database, ["light/other", *some_names(half)], "other")
    found, cursor = [], None

    with database.read() as connection:
        for _ in range(3):
            query = RepositoryQuery(q="light/", limit=1, cursor=cursor)
            page = repository_page(connection, query)
            found += [row.repository for row in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break

    assert found == ["light/other", "light/hub"]


def test_a_search_of_few_names_is_whole(world: World) -> None:
    world.crawl({"v1.2": an_image()})

    with world.database.read() as connection:
        found = search(connection, "v1.2", 10)

    assert [hit.tag for hit in found.hits] == ["v1.2"]
    assert not found.is_part


def test_a_search_says_that_older_tags_were_not_looked_at(world: World) -> None:
    world.crawl({"first": an_image(), "last": an_image()})
    with world.database.write() as connection:
        connection.execute(
            update(tags)
            .where(tags.c.name == "last")
            .values(id=tags.c.id + TAGS + REPOSITORIES)
        )

    with world.database.read() as connection:
        found = search(connection, "first", 10)
        later = search(connection, "last", 10)

    assert (found.hits, found.is_part) == ([], True)
    assert [hit.tag for hit in later.hits] == ["last"]
