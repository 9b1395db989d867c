"""What a driver's exception means for the person who runs Weighbridge."""

import sqlite3
from typing import Final, NamedTuple

from sqlalchemy.exc import DBAPIError

from weighbridge.errors import StoreError


class _Meaning(NamedTuple):
    code: str
    message: str
    retryable: bool
    hint: str = ""


_DISK_FULL: Final = _Meaning(
    "disk_full", "the disk that holds the database is full; free some space", True
)
_BUSY: Final = _Meaning(
    "database_busy", "another process has kept the database locked for too long", True
)
_CORRUPT: Final = _Meaning(
    "database_corrupt", "the database is damaged; restore it from a backup", False
)
_DISK_FAILS: Final = _Meaning(
    "database_io", "the disk that holds the database fails to read or write", True
)
_FILE_READ_ONLY: Final = _Meaning(
    "read_only",
    "the database cannot be written; check the rights of its file and folder",
    False,
)
# Primary result codes, https://sqlite.org/rescode.html
_SQLITE: Final = {
    sqlite3.SQLITE_FULL: _DISK_FULL,
    sqlite3.SQLITE_READONLY: _FILE_READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: _Meaning(
        "cannot_open",
        "the database file cannot be opened; check its path and rights",
        False,
    ),
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_NOTADB: _Meaning(
        "not_a_database",
        "the file is not a SQLite database; name another one",
        False,
    ),
    sqlite3.SQLITE_CORRUPT: _CORRUPT,
    sqlite3.SQLITE_IOERR: _DISK_FAILS,
}
_UNAVAILABLE: Final = _Meaning(
    "database_unavailable",
    "the database server does not answer",
    True,
    "check host and port of the database's URL, and that the server runs",
)
_OVERDUE: Final = _Meaning(
    "database_unavailable",
    "the database has not answered in time",
    True,
    "see whether its server stands still or is out of reach",
)
_ENDED: Final = _Meaning(
    "process_ending", "this process is to end and waits for no database", False
)
_REFUSED: Final = _Meaning(
    "database_auth", "the database server refuses this user or password", False
)
_UNKNOWN: Final = _Meaning(
    "unknown_database", "the server has no database of this name; make it first", False
)
_READ_ONLY: Final = _Meaning(
    "read_only", "the database takes no writes: it is a standby, or set so", False
)
# PostgreSQL, appendix A: whole codes first, then their classes.
_SQLSTATE: Final = {
    "25006": _READ_ONLY,
    "25P03": _UNAVAILABLE,  # idle in a transaction for too long
    "3D000": _UNKNOWN,
    "40001": _BUSY,
    "40P01": _BUSY,
    "42501": _REFUSED,
    "53100": _DISK_FULL,
    "55P03": _BUSY,
    "57014": _Meaning(
        "database_busy", "the database has taken too long for a statement", True
    ),
    "57P01": _UNAVAILABLE,
    "57P02": _UNAVAILABLE,
    "57P03": _UNAVAILABLE,
    "57P05": _UNAVAILABLE,
    "58030": _DISK_FAILS,
    "08": _UNAVAILABLE,
    "28": _REFUSED,
    "53": _Meaning(
        "database_unavailable",
        "the database server has no room for more",
        True,
        "raise its max_connections, or end other programs that use it",
    ),
    "XX": _CORRUPT,
}
OF_THE_DATABASE: Final = frozenset(
    meaning.code for meaning in (*_SQLITE.values(), *_SQLSTATE.values())
) - {_BUSY.code}
"""Codes of errors to which no statement could make a difference. One that is busy may
be so for one row alone."""
# What our own connection ends calls with; its module needs the driver.
_OURS: Final = {"Overdue": _OVERDUE, "ProcessEnding": _ENDED}
# A refused connection has no code, only the server's words (in English, where it is
# not told otherwise).
_WORDS: Final = (
    ("authentication failed", _REFUSED),
    ("pg_hba.conf", _REFUSED),
    ("no password supplied", _REFUSED),
    ("role ", _REFUSED),
    ("permission denied for database", _REFUSED),
    ("does not exist", _UNKNOWN),
)


def store_error(error: DBAPIError) -> StoreError:
    """Our error for a driver's; its text stays out, for it may quote values."""
    meaning = _meaning(error)
    if meaning is None:
        what = f"the database refused a statement ({_name(error.orig)})"
        return StoreError(what, code="store_error")
    return _error(meaning)


def unknown_parameter() -> StoreError:
    """The driver cannot read what it was given to connect with."""
    return StoreError(
        "the URL has a parameter that is not known", code="invalid_database_url"
    )


def is_lost(error: BaseException | None) -> bool:
    """Whether a driver's exception says that its connection is of no more use, though
    it may not be closed yet."""
    state = getattr(error, "sqlstate", None)
    if state is not None:
        return _meaning_of(state) is _UNAVAILABLE
    # It will not set up a connection whose last call has no known end.
    return "in transaction status" in str(error)


def read_only(*, is_server: bool) -> StoreError:
    """The error that a write would end with, for whoever sees it coming."""
    return _error(_READ_ONLY if is_server else _FILE_READ_ONLY)


def _error(meaning: _Meaning) -> StoreError:
    return StoreError(
        meaning.message,
        code=meaning.code,
        hint=meaning.hint,
        retryable=meaning.retryable,
    )


def _meaning(error: DBAPIError) -> _Meaning | None:
    number = getattr(error.orig, "sqlite_errorcode", None)
    if number is not None:
        # Extended codes (SQLITE_READONLY_DBMOVED, ...) carry the primary one below.
        return _SQLITE.get(number & 0xFF)
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return _meaning_of(state)
    return _without_code(error)


def _meaning_of(state: str) -> _Meaning | None:
    return _SQLSTATE.get(state) or _SQLSTATE.get(state[:2])


def _without_code(error: DBAPIError) -> _Meaning | None:
    """The driver's own: no connection could be had, or it was lost."""
    kind = type(error.orig).__name__
    if kind in _OURS:
        return _OURS[kind]
    if is_lost(error.orig):
        return _UNAVAILABLE
    if not (error.connection_invalidated or "Operational" in kind or "Timeout" in kind):
        return None
    said = str(error.orig)
    found = (meaning for words, meaning in _WORDS if words in said)
    return next(found, _UNAVAILABLE)


def _name(origin: BaseException | None) -> str:
    name = getattr(origin, "sqlite_errorname", None)
    return str(name or getattr(origin, "sqlstate", None) or type(origin).__name__)
