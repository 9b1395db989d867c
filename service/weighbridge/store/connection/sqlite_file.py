"""SQLite: a file of our own, with a write-ahead log beside it."""

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry

from weighbridge.errors import StoreError

_COMPILED: Final = 256
"""Statements that a connection keeps compiled, the last used ones; we have about 300.
SQLite held 23 of 142 MB of a service whose five connections kept 1,432 of them."""
_BUSY_MS: Final = 5_000
_AGAIN_S: Final = 0.01
_OURS: Final = 0x77656967
"""What the header of our files says of whose they are: "weig". It is written before
anything else is, and so is never in a log alone (SQLite file format, 1.3.17)."""
_PRAGMAS: Final = (
    f"busy_timeout = {_BUSY_MS}",
    "journal_mode = WAL",
    "synchronous = NORMAL",
    # 16 MB of log before it is copied into the file: a copy costs as much as a batch.
    "wal_autocheckpoint = 4000",
    # 4 MiB a connection. A crawl is not faster with ten times as much: what is not here
    # is in the system's memory.
    "cache_size = -4096",
    "foreign_keys = ON",
)


def make_engine(address: URL) -> Engine:
    """Connections to the file; its folder is made. Nothing is written into a file that
    is not known to be ours, and nothing beside it.

    Raises StoreError(invalid_database_url, cannot_open, not_a_database).
    """
    path = Path(_file_of(address))
    if path.is_dir():
        raise _cannot_open(
            f"{path}: it is a directory", f"a file in it: {path / 'weighbridge.db'}"
        )
    if path.exists() and not path.is_file():
        raise _cannot_open(f"{path}: it is not a regular file", "name a file")
    _refuse_foreign(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_open(
            f"the folder of the database {str(path)!r} cannot be made",
            "check the path, and who may write there",
        ) from error
    if _is_frozen(path):
        # SQLite would want to make its other files; none are needed where nobody
        # can write.
        address = address.set(
            database=as_uri(path), query={"immutable": "1", "uri": "true"}
        )
    else:
        _make_private(path)
    # No limit on connections but the callers' threads: one that waits for a free
    # connection would only look like a slow database.
    engine = create_engine(
        address,
        max_overflow=-1,
        hide_parameters=True,
        connect_args={"cached_statements": _COMPILED},
        # The one that was used last has the pages that are wanted next; the others of
        # the pool need not have them, too.
        pool_use_lifo=True,
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def refuse_absent(address: URL) -> None:
    """Raises StoreError(no_database) where there is no such file: for whoever only
    wants what was kept, a misspelt name is no empty database.

    StoreError(invalid_database_url) as for `make_engine`.
    """
    path = Path(_file_of(address))
    if not path.exists():
        raise StoreError(
            f"{path}: there is no such database",
            code="no_database",
            hint="check the name; weighbridge crawl makes one",
        )


def _refuse_foreign(path: Path) -> None:
    """Raises StoreError(not_a_database) for a file that is not empty and not ours.

    By SQLite, as of a file that nobody changes: so it takes no lock, makes no log and
    rolls nothing back. (To open the file in another way and to close it again would
    let go of what this process has locked in it.)
    """
    if not path.exists() or path.stat().st_size == 0:
        return
    uri = f"{as_uri(path)}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            if is_ours(connection):
                return
            tables = "SELECT name FROM sqlite_master WHERE type = 'table'"
            row = connection.execute(tables).fetchone()
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_NOTADB:
            return  # Who may not read it may not write it either: SQLite says so.
        raise _not_ours(f"{path}: the file is not a SQLite database") from error
    of = "" if row is None else f", with the table {str(row[0])[:60]!r}"
    raise _not_ours(f"{path}: the file is a database of another program{of}")


def is_ours(connection: sqlite3.Connection) -> bool:
    """Whether the file was made by us."""
    return _number(connection, "application_id") == _OURS


def as_uri(path: Path) -> str:
    """For `sqlite3.connect(..., uri=True)`, without parameters."""
    return f"file:{quote(str(path))}"


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    found: int = connection.execute(f"PRAGMA {pragma}").fetchone()[0]
    return found


def _not_ours(what: str) -> StoreError:
    return StoreError(
        what, code="not_a_database", hint="name a database of weighbridge's own"
    )


def _make_private(path: Path) -> None:
    """A new file is its owner's alone: it tells what is in registries that ask for a
    password. What SQLite lays beside it gets the same rights."""
    with suppress(OSError):  # SQLite says itself what is wrong, or it is there
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _is_frozen(path: Path) -> bool:
    """Whether the file lies whole on a file system that is mounted read only. With
    a log beside it, it is not whole: that must be read too."""
    log = path.with_name(f"{path.name}-wal")
    try:
        is_read_only = bool(os.statvfs(path).f_flag & os.ST_RDONLY)
        is_whole = not log.exists() or log.stat().st_size == 0
    except OSError:
        return False  # What is wrong with it, SQLite says itself.
    return is_read_only and is_whole


def shown(address: URL) -> str:
    """The database as messages name it."""
    return str(address.database)


def _file_of(address: URL) -> str:
    name = address.database
    if not name or name == ":memory:" or address.host:
        raise _invalid_url("the URL names no file")
    if address.query or name.startswith("file:"):
        raise _invalid_url("the URL has parameters, which are not taken")
    return name


def _invalid_url(what: str) -> StoreError:
    return StoreError(
        what,
        code="invalid_database_url",
        hint="sqlite:///file.db or sqlite:////absolute/file.db",
    )


def _cannot_open(what: str, hint: str) -> StoreError:
    return StoreError(what, code="cannot_open", hint=hint)


def _prepare(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
    # The driver opens transactions on its own, late and as readers: updates that
    # follow a read are then lost or refused. We say BEGIN ourselves instead.
    connection.isolation_level = None
    if not _number(connection, "page_count"):
        _set(connection, f"application_id = {_OURS}")
    for pragma in _PRAGMAS:
        _set(connection, pragma)
    if sqlite3.sqlite_version_info < (3, 41):
        connection.create_function("unhex", 1, bytes.fromhex, deterministic=True)


def _set(connection: sqlite3.Connection, pragma: str) -> None:
    """Processes that open a new file at the same moment all want to switch it to a
    log. While one of them does, SQLite refuses the others at once, whatever
    busy_timeout says: they read already, and it lets no reader wait for a writer
    (sqlite3_busy_handler). That one is soon done."""
    ends_at = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            connection.execute(f"PRAGMA {pragma}").close()
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() >= ends_at:
                raise
            time.sleep(_AGAIN_S)
        else:
            return


def _begin(connection: Connection) -> None:
    is_reader = connection.get_execution_options().get("weighbridge_read", False)
    connection.exec_driver_sql("BEGIN" if is_reader else "BEGIN IMMEDIATE")
