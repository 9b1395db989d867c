"""What time it is for everybody who shares a database."""

from datetime import datetime

from sqlalchemy import Connection

from weighbridge.store.dialect.names import POSTGRESQL


def time_of_server(connection: Connection) -> datetime | None:
    """The server's clock; None where there is no server, and our own clock is it."""
    if connection.dialect.name != POSTGRESQL:
        return None
    stated: datetime = connection.exec_driver_sql(
        "SELECT clock_timestamp()"
    ).scalar_one()
    return stated
