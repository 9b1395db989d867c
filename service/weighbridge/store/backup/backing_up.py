"""A copy of a SQLite database at one moment, while others write into it."""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from weighbridge.errors import StoreError, UsageError
from weighbridge.store.backup.contents import Contents, checked_contents
from weighbridge.store.session import Connection, Database

_PAGES: Final = 2_000
"""Copied in one step, 8 MB; between two of them a signal is heeded."""

Watch = Callable[[str, int, int], None]
"""Called with a kind of thing, how many are done, of how many."""


def back_up(
    database: Database, source: Path, target: Path, watch: Watch, *, replace: bool
) -> Contents:
    """Write what the database holds at this moment into a file; returns what that is.

    source: the file of the database

    Under the name there is never anything but a whole backup: it is written beside it,
    read again, and only then renamed.

    Raises UsageError(bad_backup_file, backup_exists), StoreError(backup_failed,
    disk_full, no_database, ...).
    """
    target = Path(os.path.realpath(target))
    _refuse_bad(source, target)
    _refuse_present(target, replace=replace)
    with scratch_beside(target) as scratch:
        with database.read() as connection:
            _refuse_empty(connection, source)
            copied(_driver_of(connection), scratch, watch)
        found = checked_contents(scratch)
        # Somebody may have made one meanwhile.
        _refuse_present(target, replace=replace)
        put_in_place(scratch, target)
    return found


@contextmanager
def scratch_beside(target: Path) -> Iterator[Path]:
    """An empty file of its owner's alone on the same disk, gone at the end of the
    block unless it was renamed. Raises StoreError(backup_failed)."""
    try:
        number, name = tempfile.mkstemp(
            prefix=f".{target.name}.", suffix=".part", dir=target.parent
        )
    except OSError as error:
        raise write_failed(target, error.strerror or "") from error
    os.close(number)
    scratch = Path(name)
    try:
        yield scratch
    finally:
        scratch.unlink(missing_ok=True)


def put_in_place(scratch: Path, target: Path) -> None:
    """Give a file its name once all of it is on the disk."""
    try:
        _sync(scratch)
        scratch.replace(target)
        _sync(target.parent)
    except OSError as error:
        raise write_failed(target, error.strerror or "") from error


def copy_pages(source: sqlite3.Connection, scratch: Path, watch: Watch) -> None:
    """Copy a database whose snapshot the connection holds, step by step.

    While it is held, SQLite begins no step anew, whoever writes: each copies pages of
    that one moment. Raises sqlite3.Error.
    """

    def told(status: int, remaining: int, total: int) -> None:
        watch("pages", total - remaining, total)

    with closing(sqlite3.connect(scratch)) as copy:
        # The copy is of no use before it is whole: it needs no journal, and goes to
        # the disk once, at its end.
        copy.execute("PRAGMA journal_mode = OFF").close()
        copy.execute("PRAGMA synchronous = OFF").close()
        source.backup(copy, pages=_PAGES, progress=told)


def copied(source: sqlite3.Connection, scratch: Path, watch: Watch) -> None:
    """The same; raises StoreError(disk_full, database_corrupt, backup_failed)."""
    try:
        copy_pages(source, scratch, watch)
    except sqlite3.Error as error:
        code = error.sqlite_errorcode & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise StoreError(
                f"{scratch.parent}: the disk is too full for a copy of the database",
                code="disk_full",
                hint="free some space there, or use another disk",
                retryable=True,
            ) from error
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise StoreError(
                "the database is damaged; restore it from an earlier backup",
                code="database_corrupt",
            ) from error
        raise write_failed(scratch, error.sqlite_errorname) from error


def _driver_of(connection: Connection) -> sqlite3.Connection:
    found = connection.connection.driver_connection
    if not isinstance(found, sqlite3.Connection):
        raise TypeError("only SQLite is copied this way")
    return found


def _refuse_empty(connection: Connection, source: Path) -> None:
    """This first query also fixes the moment that is copied."""
    tables = "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'"
    if not connection.exec_driver_sql(tables).scalar_one():
        raise StoreError(
            f"{source}: the database is empty, there is nothing to back up",
            code="no_database",
            hint="check the name; weighbridge crawl fills one",
        )


def _refuse_bad(source: Path, target: Path) -> None:
    what = None
    if target.is_dir():
        what = "it is a directory"
    elif target.exists() and not target.is_file():
        what = "it is not a regular file"
    elif not target.parent.is_dir():
        what = f"there is no directory {target.parent}"
    elif target in files_of(source):
        what = "it belongs to the database itself"
    elif target.exists() and source.exists() and target.samefile(source):
        what = "it is the database itself"
    if what is not None:
        raise UsageError(
            f"{target}: {what}",
            code="bad_backup_file",
            hint="name a file of its own, best on another disk",
        )


def files_of(source: Path) -> list[Path]:
    """A database's own, and those that SQLite makes beside it."""
    path = Path(os.path.realpath(source))
    beside = ("", "-wal", "-shm", "-journal")
    return [path.with_name(f"{path.name}{suffix}") for suffix in beside]


def _refuse_present(target: Path, *, replace: bool) -> None:
    if target.exists() and not replace:
        raise UsageError(
            f"{target}: the file exists", code="backup_exists", hint="--replace"
        )


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def write_failed(path: Path, why: str) -> StoreError:
    """What is said of a file that cannot be made."""
    return StoreError(
        f"{path.parent}: the file cannot be written there ({why})",
        code="backup_failed",
        hint="check who may write there, and that the disk works",
    )
