"""What a server is there for: its name, its clock, and locks between processes, by
purpose and number, which end with the transaction."""

from datetime import datetime
from enum import IntEnum
from typing import Final

from sqlalchemy import Connection, Dialect, Table

POSTGRESQL: Final = "postgresql"


def settles_at_once(dialect: Dialect) -> bool:
    """Whether what changes hands is settled in the transaction that changed it."""
    return dialect.name != POSTGRESQL


def time_of_server(connection: Connection) -> datetime | None:
    """The server's clock; None where there is no server, and our own clock is it."""
    if connection.dialect.name != POSTGRESQL:
        return None
    stated: datetime = connection.exec_driver_sql(
        "SELECT clock_timestamp()"
    ).scalar_one()
    return stated


class Purpose(IntEnum):
    """What a lock between processes is for. The numbers are for ever."""

    UPGRADE = 1
    SETTLE = 2
    PRUNE = 3
    TELL = 4
    ASK = 5
    FOLD = 6


# Other programs may lock in the same database: "weig" is ours.
_NAMESPACE: Final = 0x77656967


def lock(
    connection: Connection, purpose: Purpose, number: int = 0, *, shared: bool = False
) -> None:
    """Wait until no other transaction holds this lock, and hold it to our end.

    number: which of many (a scope); on SQLite whoever writes is alone anyway
    shared: others may hold it too, as long as they share it
    """
    if connection.dialect.name == POSTGRESQL:
        # Numbers that meet above 28 bits share a lock, which costs a wait.
        key = (number << 3 | purpose) & 0x7FFFFFFF
        kind = "_shared" if shared else ""
        connection.exec_driver_sql(
            f"SELECT pg_advisory_xact_lock{kind}(%s::int, %s::int)", (_NAMESPACE, key)
        )


def lock_writers_out(connection: Connection, table: Table) -> None:
    """Wait until nobody writes or locks rows of a table, and keep everybody from it
    to our end; readers go on."""
    if connection.dialect.name == POSTGRESQL:
        connection.exec_driver_sql(f"LOCK TABLE {table.name} IN EXCLUSIVE MODE")


def wait_at_most(connection: Connection, seconds: int) -> None:
    """Give up a lock that is not to be had within so many seconds, in this
    transaction: whoever comes after us waits as long as we do."""
    if connection.dialect.name == POSTGRESQL:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{seconds}s'")
