"""PostgreSQL: a database on a server, shared by any number of processes."""

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Dialect, Engine, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from weighbridge.errors import StoreError
from weighbridge.store.connection.deadlines import USUAL_S, EndOfCalls
from weighbridge.store.connection.failures import is_lost, unknown_parameter

if TYPE_CHECKING:
    from weighbridge.store.connection.postgresql_connection import BoundedConnection

# A dead peer is noticed within a minute; parameters of the URL come before these.
_OPTIONS: Final = {
    "application_name": "weighbridge",
    "connect_timeout": "10",
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
# Whatever the URL says, from the first answer on: the driver gives bytes in the place
# of text where a server in SQL_ASCII may choose.
_ENCODING: Final = {"client_encoding": "UTF8"}
_SETTINGS: Final = (
    # Whoever waits longer for a row or a table gives up, and is tried again.
    "SET lock_timeout = '30s'",
    # What nobody waits for any more ends too.
    f"SET statement_timeout = '{USUAL_S:.0f}s'",
    # No transaction of ours waits for anything but the database: one that does is of
    # a process that was stopped, and would hold its locks for ever.
    "SET idle_in_transaction_session_timeout = '60s'",
)
_CONNECTIONS: Final = 5
"""Kept open by an idle process."""
_MORE_CONNECTIONS: Final = 15
"""Opened as threads need them: a server takes a hundred connections by default."""
_POOL_TIMEOUT_S: Final = 10.0


def make_engine(address: URL, ending: EndOfCalls) -> Engine:
    """Connections to the server, checked before use, so that a restart of it costs
    the transactions that were under way and nothing after. Each call on one has an
    end, see `deadlines`.

    Raises StoreError(missing_driver, invalid_database_url).
    """
    if not address.database:
        raise StoreError(
            "the URL names no database",
            code="invalid_database_url",
            hint="postgresql://user:password@host/name",
        )
    options = {k: v for k, v in _OPTIONS.items() if k not in address.query}
    try:
        engine = create_engine(
            address.set(drivername="postgresql+psycopg"),
            connect_args=options | _ENCODING,
            pool_pre_ping=True,
            pool_size=_CONNECTIONS,
            max_overflow=_MORE_CONNECTIONS,
            pool_timeout=_POOL_TIMEOUT_S,
            hide_parameters=True,
            use_native_hstore=False,
        )
    except ImportError as error:
        raise StoreError(
            "PostgreSQL needs a driver that is not installed",
            code="missing_driver",
            hint="python -m pip install 'weighbridge[postgresql]'",
        ) from error
    event.listen(engine, "do_connect", partial(_connect, ending))
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "checkout", _lend)
    event.listen(engine, "handle_error", _note_loss)
    return engine


def _connect(
    ending: EndOfCalls,
    dialect: Dialect,
    record: ConnectionPoolEntry,
    arguments: list[Any],
    options: dict[str, Any],
) -> "BoundedConnection":
    """What is wrong with the URL shows here and nowhere else."""
    # Loaded only where the driver is installed, and where it is used.
    from psycopg import ProgrammingError

    from weighbridge.store.connection.postgresql_connection import BoundedConnection

    try:
        return BoundedConnection.opened(ending, *arguments, **options)
    except (ProgrammingError, ValueError) as error:
        raise unknown_parameter() from error


def _lend(
    connection: "BoundedConnection",
    record: ConnectionPoolEntry,
    lent: PoolProxiedConnection,
) -> None:
    """Who had it before may have read: SQLAlchemy leaves READ WRITE behind then,
    which would overrule a server, user or database that is set to take no writes."""
    connection.read_only = None
    connection.allow_statements()


def _note_loss(context: ExceptionContext) -> None:
    """A server that ends a session says so, and closes the connection a moment later:
    it is lost already, whether the driver has seen that or not."""
    if is_lost(context.original_exception):
        context.is_disconnect = True


def shown(address: URL) -> str:
    """The database as messages name it: without user and password."""
    host = address.host or str(address.query.get("host", "local socket"))
    port = f":{address.port}" if address.port else ""
    return f"{host}{port}/{address.database}"


def _prepare(connection: "BoundedConnection", record: ConnectionPoolEntry) -> None:
    # Loaded only where the driver is installed, and where it is used.
    from weighbridge.store.connection.postgresql_connection import register

    register(connection)
    was, connection.autocommit = connection.autocommit, True
    for setting in _SETTINGS:
        connection.execute(setting)
    connection.autocommit = was
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreError(
            f"the database is encoded as {encoding}, which cannot hold every text",
            code="database_encoding",
            hint="create it again: CREATE DATABASE weighbridge ENCODING 'UTF8' "
            "TEMPLATE template0",
        )
