"""The list that everybody opens first costs as much as it is long, not more."""

import sqlite3

import pytest

from support.many_repositories import add_repositories, change, some_names
from weighbridge.store.reports import RepositoryQuery, repository_page
from weighbridge.store.session import Database

pytestmark = pytest.mark.only_on("sqlite")
A_STEP = 50


def steps(database: Database, query: RepositoryQuery) -> int:
    """Instructions of SQLite's machine that a page takes, by fifties."""
    count = 0

    def note() -> int:
        nonlocal count
        count += 1
        return 0

    with database.read() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.set_progress_handler(note, A_STEP)
        try:
            repository_page(connection, query)
        finally:
            driver.set_progress_handler(None, 0)
    return count


@pytest.mark.parametrize("order", ["desc", "asc"])
def test_ten_times_as_many_repositories_do_not_make_the_first_page_dearer(
    database: Database, order: str
) -> None:
    query = RepositoryQuery(order=order, limit=20)
    add_repositories(database, some_names(300, "a"))
    few = steps(database, query)
    ids = add_repositories(database, some_names(3_000, "b"))
    for identity in list(ids.values())[:5]:
        change(database, identity, newest_compressed_bytes=None)

    assert few > 0
    assert steps(database, query) <= 1.2 * few + 2


def test_a_page_in_the_middle_costs_no_more_than_the_first(database: Database) -> None:
    add_repositories(database, some_names(3_000))
    first = RepositoryQuery(limit=20)
    with database.read() as connection:
        half = repository_page(connection, RepositoryQuery(limit=1_000))
    middle = RepositoryQuery(limit=20, cursor=half.next_cursor)

    assert steps(database, middle) <= 1.2 * steps(database, first) + 2
