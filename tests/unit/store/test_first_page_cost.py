"""The list that everybody opens first costs as much as it is long, not more."""

import pytest

from support.many_repositories import add_repositories, change, some_names
from support.sqlite_steps import steps
from weighbridge.store.reports.repositories import RepositoryQuery, repository_page
from weighbridge.store.session import Database

pytestmark = pytest.mark.only_on("sqlite")


def page_steps(database: Database, query: RepositoryQuery) -> int:
    """What a page costs."""
    return steps(database, lambda connection: repository_page(connection, query))


@pytest.mark.parametrize("order", ["desc", "asc"])
def test_ten_times_as_many_repositories_do_not_make_the_first_page_dearer(
    database: Database, order: str
) -> None:
    query = RepositoryQuery(order=order, limit=20)
    add_repositories(database, some_names(300, "a"))
    few = page_steps(database, query)
    ids = add_repositories(database, some_names(3_000, "b"))
    for identity in list(ids.values())[:5]:
        change(database, identity, newest_compressed_bytes=None)

    assert few > 0
    assert page_steps(database, query) <= 1.2 * few + 2


def test_a_page_in_the_middle_costs_no_more_than_the_first(database: Database) -> None:
    add_repositories(database, some_names(3_000))
    first = RepositoryQuery(limit=20)
    with database.read() as connection:
        half = repository_page(connection, RepositoryQuery(limit=1_000))
    middle = RepositoryQuery(limit=20, cursor=half.next_cursor)

    assert page_steps(database, middle) <= 1.2 * page_steps(database, first) + 2
