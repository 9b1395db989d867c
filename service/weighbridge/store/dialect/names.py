"""What the databases are called, what is the same for all of one name, and whose clock
counts in each."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Dialect

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
