"""The database of one process: opening it, its transactions, and what they lock.

SQLite needs no locks on rows: there, one writes at a time. Some transactions are such
that no fact is kept and no ledger changes beside them (`alone`). Whoever keeps facts
shares the lock of pruning (`images.keep_documents`); whoever changes a ledger begins
with its repository's row (`claiming.hold`). With both kept out, what nothing refers to
stays so until it is removed, and what a blob counts can change without a batch that has
read the size before. Only the settler works on: what it has in hand shows in its queue.
"""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Dialect, Engine, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.util import LRUCache

from weighbridge.errors import StoreError
from weighbridge.store.connection import sqlite_file
from weighbridge.store.connection.deadlines import (
    OPENING_S,
    EndOfCalls,
    opening,
    within,
)
from weighbridge.store.connection.failures import store_error
from weighbridge.store.dialect import (
    Purpose,
    among_ids,
    listed,
    lock,
    lock_writers_out,
    settles_at_once,
    wait_at_most,
)
from weighbridge.store.models import (
    repositories,
    repository_summaries,
)

# Compiling a statement costs several times what running it does, and SQLAlchemy keeps
# what it compiled with one engine, for that engine's own instance of the dialect.
# Any: as SQLAlchemy's own.
_Cache: TypeAlias = LRUCache[Any, Any]
_MOST: Final = 1_000
"""Statements; there are some hundreds."""
_KEPT: Final[dict[str, tuple[Dialect, _Cache]]] = {}


# Whoever writes through the store names its connections, and knows no SQL.
__all__ = ["Connection", "Database", "open_database"]


class Database:
    """An open database. Safe to share between threads."""

    def __init__(self, engine: Engine, ending: EndOfCalls | None = None) -> None:
        self._engine = engine
        self._ending = ending or EndOfCalls()
        # One snapshot for all queries, on PostgreSQL by these two; SQLite's listener
        # goes by the third.
        self._reader = engine.execution_options(weighbridge_read=True)
        if engine.dialect.name != "sqlite":
            self._reader = self._reader.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    @property
    def settles_at_once(self) -> bool:
        """Whether what changes hands is settled in the transaction that changed it.

        Otherwise it waits in `blob_changes` for the settler.
        """
        return settles_at_once(self._engine.dialect)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction; on SQLite alone in writing from its first statement on,
        on PostgreSQL READ COMMITTED beside others.

        Committed at the end of the block, rolled back by any exception.
        Raises StoreError(database_busy, database_unavailable, disk_full, ...).
        """
        with self._transaction(self._engine) as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One snapshot: every query of the block sees the same state."""
        with self._transaction(self._reader) as connection:
            yield connection

    def end_within(self, seconds: float) -> None:
        """From then on nobody waits for a server any more, and whoever does ends with
        StoreError(process_ending), which nobody tries again."""
        self._ending.ends_at = time.monotonic() + seconds

    def close(self) -> None:
        """Close every connection that is not in use."""
        self._engine.dispose()

    def share_compiled(self) -> None:
        """Use what is compiled for other databases of the kind in this process, once
        this one has answered."""
        for engine in (self._engine, self._reader):
            _share(engine)

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        try:
            with _connected(engine) as connection, connection.begin():
                yield connection
        except DBAPIError as error:
            raise store_error(error) from error
        except PoolTimeoutError as error:
            raise StoreError(
                "every connection to the database has been in use for too long",
                code="database_busy",
                retryable=True,
            ) from error


@contextmanager
def _connected(engine: Engine) -> Iterator[Connection]:
    with opening():
        connection = engine.connect()
    with connection:
        yield connection


def open_database(url: str, *, must_exist: bool = False) -> Database:
    """Open `sqlite:///file.db` (made if absent) or `postgresql://user@host/name`.

    must_exist: a SQLite file that is absent is refused, and nothing is made

    Raises StoreError(invalid_database_url, no_database, cannot_open, not_a_database,
    missing_driver, database_unavailable, database_auth, ...).
    """
    address, is_server = address_of(url)
    if not is_server:
        if must_exist:
            sqlite_file.refuse_absent(address)
        engine = sqlite_file.make_engine(address)
        return _opened(Database(engine), sqlite_file.shown(address))
    # Loaded only where it is used: `inspect` starts without it.
    from weighbridge.store.connection import postgresql_server

    ending = EndOfCalls()
    engine = postgresql_server.make_engine(address, ending)
    return _opened(Database(engine, ending), postgresql_server.shown(address))


def address_of(url: str) -> tuple[URL, bool]:
    """The parts of a database's URL, and whether they are a server's, not a file's.

    Raises StoreError(invalid_database_url), which repeats nothing of it.
    """
    address = _parsed(url)
    if address.drivername in ("sqlite", "sqlite+pysqlite"):
        return address, False
    if address.drivername in ("postgresql", "postgresql+psycopg"):
        _refuse_bare_at(url, address)
        return address, True
    # The URL itself may hold a password and is not repeated.
    raise _invalid_url(f"{address.drivername!r} is no database that we know")


def _opened(database: Database, shown: str) -> Database:
    """Asked once, so that a wrong address is told at the start."""
    try:
        with within(OPENING_S), database.read() as connection:
            # The first query of a SQLite file reads its header.
            connection.exec_driver_sql("SELECT 1 FROM (SELECT 1) AS one").all()
    except StoreError as error:
        database.close()
        raise StoreError(
            f"{shown}: {error.message}",
            code=error.code,
            hint=error.hint,
            retryable=error.retryable,
        ) from error
    database.share_compiled()
    return database


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        # A password with a slash in it is read as a port, and the exception quotes it.
        raise _invalid_url("this is no database URL") from None


def _refuse_bare_at(url: str, address: URL) -> None:
    """An `@` beyond the one behind user and password is a part of the password as
    often as not; what follows it would be taken for the host, and be shown."""
    if url.count("@") > (0 if address.username is None else 1):
        raise StoreError(
            "the URL has an @ that has to be written as %40",
            code="invalid_database_url",
            hint="write %40 for each @ of user, password, name and parameters",
        )


def _invalid_url(what: str) -> StoreError:
    return StoreError(
        what,
        code="invalid_database_url",
        hint="sqlite:///file.db, sqlite:////absolute/file.db or "
        "postgresql://user:password@host/name",
    )


def _share(engine: Engine) -> None:
    """Have it use what others compiled, and the other way round. It is connected: a
    dialect learns from the first server that it meets."""
    first = (engine.dialect, LRUCache[Any, Any](_MOST))
    engine.dialect, cache = _KEPT.setdefault(engine.dialect.name, first)
    engine.update_execution_options(compiled_cache=cache)


_LOCK: Final = (
    select(repositories.c.id)
    .where(among_ids(repositories.c.id))
    .order_by(repositories.c.id)
    .with_for_update()
)
_LOCK_SUMMARIES: Final = (
    select(repository_summaries.c.repository_id)
    .where(among_ids(repository_summaries.c.repository_id))
    .order_by(repository_summaries.c.repository_id)
    .with_for_update()
)
_PATIENCE_S: Final = 5


def lock_repositories(connection: Connection, repository_ids: Collection[int]) -> None:
    """Let no batch of these repositories run until we commit; those that run are
    waited for. Always sorted, so that two of us never wait for each other."""
    if not settles_at_once(connection.dialect):
        connection.execute(_LOCK, {"ids": listed(sorted(repository_ids))})


def lock_summaries(connection: Connection, repository_ids: Collection[int]) -> None:
    """Let nobody change these rows of the read model until we commit: what is read of
    sizes from now on is what is written to them. Sorted, as the settler locks them; the
    repositories themselves are locked before."""
    if not settles_at_once(connection.dialect):
        connection.execute(_LOCK_SUMMARIES, {"ids": listed(sorted(repository_ids))})


@contextmanager
def alone(database: Database) -> Iterator[Connection]:
    """A short transaction beside readers and the settler only.

    Raises StoreError(database_busy) where others do not come to an end: they are not
    to be kept waiting for us.
    """
    with database.write() as connection:
        be_alone(connection)
        yield connection


def be_alone(connection: Connection) -> None:
    """The same from the first statement of a transaction on."""
    wait_at_most(connection, _PATIENCE_S)
    # In this order: a keeper of facts may go on to lock repositories.
    lock(connection, Purpose.PRUNE)
    lock_writers_out(connection, repositories)
