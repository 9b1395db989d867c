"""What statements cost on SQLite: instructions of its machine, the same each time."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from weighbridge.store.session import Database

A_STEP = 50


def steps(database: Database, call: Callable[[Connection], object]) -> int:
    """Instructions that `call` takes in a transaction that is undone, by fifties."""
    count = 0

    def note() -> None:
        nonlocal count
        count += 1

    with database.read() as connection:
        assert connection.dialect.name == "sqlite", "PostgreSQL tells of no steps"
        with every(A_STEP, connection, note):
            call(connection)
        connection.rollback()
    return count


@contextmanager
def every(
    instructions: int, connection: Connection, note: Callable[[], None]
) -> Iterator[None]:
    """Call `note` whenever so many instructions were done; never on PostgreSQL."""

    def noted() -> int:
        note()
        return 0

    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        yield
        return
    driver.set_progress_handler(noted, instructions)
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)
