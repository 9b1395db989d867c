"""What statements cost on SQLite: instructions of its machine, the same each time."""

import sqlite3
from collections.abc import Callable

from sqlalchemy import Connection

from weighbridge.store.session import Database

A_STEP = 50


def steps(database: Database, call: Callable[[Connection], object]) -> int:
    """Instructions that `call` takes in a transaction that is undone, by fifties."""
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
            call(connection)
        finally:
            driver.set_progress_handler(None, 0)
            connection.rollback()
    return count
