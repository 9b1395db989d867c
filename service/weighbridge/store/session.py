"""The database of one process: opening it, its transactions, its schema."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from weighbridge.errors import StoreError
from weighbridge.store.failures import store_error

__all__ = ["Connection", "Database", "check_schema", "open_database", "upgrade"]
"""`Connection` is SQLAlchemy's; whoever is above the store knows it by this name."""

# Whoever writes through the store names its connections, and knows no SQL.
__all__ = [
    "REVISION",
    "Connection",
    "Database",
    "check_schema",
    "open_database",
    "upgrade",
]

REVISION: Final = "0001"
"""The newest migration; code and schema of another revision do not work together."""
_OLDER: Final[frozenset[str]] = frozenset()
"""Revisions that `upgrade` starts from, besides an empty file."""
_PRAGMAS: Final = (
    "busy_timeout = 5000",
    "journal_mode = WAL",
    "synchronous = NORMAL",
    "foreign_keys = ON",
)


class Database:
    """An open database. Safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(weighbridge_read=True)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, alone in writing from its first statement on.

        Committed at the end of the block, rolled back by any exception.
        Raises StoreError(database_busy, disk_full, read_only, ...).
        """
        with self._transaction(self._engine) as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One snapshot: every query of the block sees the same state."""
        with self._transaction(self._reader) as connection:
            yield connection

    def close(self) -> None:
        """Close every connection that is not in use."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        try:
            with engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise store_error(error) from error


def open_database(url: str) -> Database:
    """Open `sqlite:///file.db` or `sqlite:////absolute/file.db`, made if absent.

    Raises StoreError(invalid_database_url, cannot_open, not_a_database, ...).
    """
    address = _sqlite_url(url)
    path = Path(address.database or "")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the folder of the database {str(path)!r} cannot be made",
            code="cannot_open",
        ) from error
    # No limit on connections but the callers' threads: one that waits for a free
    # connection would only look like a slow database.
    engine = create_engine(address, max_overflow=-1)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    database = Database(engine)
    try:
        with database.read() as connection:
            connection.execute(text("SELECT 1 FROM sqlite_master"))
    except StoreError as error:
        database.close()
        raise _unusable(path, error) from error
    return database


def _unusable(path: Path, error: StoreError) -> StoreError:
    """The same error, naming the file that it is about."""
    why = "it is a directory" if path.is_dir() else error.message
    return StoreError(f"{path}: {why}", code=error.code, retryable=error.retryable)


def _sqlite_url(url: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise _invalid_url("this is no database URL") from error
    if address.drivername not in ("sqlite", "sqlite+pysqlite"):
        # The URL itself may hold a password and is not repeated.
        raise _invalid_url(f"{address.drivername!r} is no database that we know")
    if not address.database or address.database == ":memory:" or address.host:
        raise _invalid_url("the URL names no file")
    if address.query or address.database.startswith("file:"):
        raise _invalid_url("the URL has parameters, which are not taken")
    return address


def _invalid_url(what: str) -> StoreError:
    return StoreError(
        what,
        code="invalid_database_url",
        hint="only SQLite works so far: sqlite:///file.db, sqlite:////abs/file.db",
    )


def _prepare(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
    # The driver opens transactions on its own, late and as readers: updates that
    # follow a read are then lost or refused. We say BEGIN ourselves instead.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    is_reader = connection.get_execution_options().get("weighbridge_read", False)
    connection.exec_driver_sql("BEGIN" if is_reader else "BEGIN IMMEDIATE")


def upgrade(database: Database) -> str:
    """Bring the schema to this version's revision, and return it.

    Safe to run in several processes at once: the first one works, in a transaction
    of its own, and the others then find nothing to do. Raises
    StoreError(schema_version) for the database of a newer version,
    StoreError(not_a_database) for another program's; neither is touched.
    """
    found = _revision(database)
    if found == REVISION:
        return REVISION
    if found is not None and found not in _OLDER:
        raise _newer(found)
    if found is None:
        _refuse_foreign(database)
    # Imported late: alembic takes half a second, and most starts do not need it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "weighbridge.store:migrations")
    config.set_main_option("path_separator", "os")
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return REVISION


def _newer(found: str) -> StoreError:
    return StoreError(
        f"the database has schema {found}, made by a newer version of weighbridge; "
        f"this version knows {REVISION}",
        code="schema_version",
        hint="use that version, or name another database",
    )


def _refuse_foreign(database: Database) -> None:
    """Tables that are there before our first one are somebody else's."""
    with database.read() as connection:
        tables = inspect(connection).get_table_names()
    # Another process may have upgraded since we looked.
    if tables and "alembic_version" not in tables:
        raise StoreError(
            f"the database holds tables of another program ({tables[0]}, ...)",
            code="not_a_database",
            hint="name a file of weighbridge's own",
        )


def check_schema(database: Database) -> None:
    """Raises StoreError(schema_version) if the schema is another revision's."""
    found = _revision(database)
    if found != REVISION:
        raise StoreError(
            f"the database has schema {found or 'none'}, this version needs {REVISION}",
            code="schema_version",
            hint="run: weighbridge db upgrade",
        )


def _revision(database: Database) -> str | None:
    with database.read() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        statement = text("SELECT version_num FROM alembic_version")
        found: str | None = connection.execute(statement).scalar()
        return found
