"""Locks between processes, by purpose and number; they end with the transaction."""

from enum import IntEnum
from typing import Final

from sqlalchemy import Connection

from weighbridge.store.dialect.names import POSTGRESQL


class Purpose(IntEnum):
    """What a lock between processes is for. The numbers are for ever."""

    UPGRADE = 1
    SETTLE = 2


# Other programs may lock in the same database: "weig" is ours.
_NAMESPACE: Final = 0x77656967


def lock(connection: Connection, purpose: Purpose, number: int = 0) -> None:
    """Wait until no other transaction holds this lock, and hold it to our end.

    number: which of many (a scope); on SQLite whoever writes is alone anyway
    """
    if connection.dialect.name == POSTGRESQL:
        # Numbers that meet above 28 bits share a lock, which costs a wait.
        key = (number << 3 | purpose) & 0x7FFFFFFF
        connection.exec_driver_sql(
            "SELECT pg_advisory_xact_lock(%s::int, %s::int)", (_NAMESPACE, key)
        )
