"""What a driver's exception means for the person who runs Weighbridge."""

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError

from weighbridge.errors import StoreError

# Primary result codes, https://sqlite.org/rescode.html: code, message, retryable.
_MEANING: Final = {
    sqlite3.SQLITE_FULL: (
        "disk_full",
        "the disk that holds the database is full; free some space",
        True,
    ),
    sqlite3.SQLITE_READONLY: (
        "read_only",
        "the database cannot be written; check the rights of its file and folder",
        False,
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "cannot_open",
        "the database file cannot be opened; check its path and rights",
        False,
    ),
    sqlite3.SQLITE_BUSY: (
        "database_busy",
        "another process has kept the database locked for too long",
        True,
    ),
    sqlite3.SQLITE_NOTADB: (
        "not_a_database",
        "the file is not a SQLite database; name another one",
        False,
    ),
    sqlite3.SQLITE_CORRUPT: (
        "database_corrupt",
        "the database file is damaged; restore it from a backup",
        False,
    ),
    sqlite3.SQLITE_IOERR: (
        "database_io",
        "the disk that holds the database fails to read or write",
        True,
    ),
}


def store_error(error: DBAPIError) -> StoreError:
    """Our error for a driver's; its text stays out, for it may quote values."""
    origin = error.orig
    # Extended codes (SQLITE_READONLY_DBMOVED, ...) carry the primary one below.
    number = getattr(origin, "sqlite_errorcode", -1) & 0xFF
    code, message, retryable = _MEANING.get(
        number,
        ("store_error", f"the database refused a statement ({_name(origin)})", False),
    )
    return StoreError(message, code=code, retryable=retryable)


def _name(origin: BaseException | None) -> str:
    return str(getattr(origin, "sqlite_errorname", type(origin).__name__))
