"""A SQLite database in the place of another: a backup that is restored."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from msgspec import Struct

from weighbridge.errors import StoreError, UsageError
from weighbridge.store.backup.backing_up import (
    Watch,
    copied,
    files_of,
    put_in_place,
    scratch_beside,
    write_failed,
)
from weighbridge.store.backup.contents import Contents, checked_contents, resting
from weighbridge.store.models.types import microseconds
from weighbridge.store.schema import refuse_unknown

_PATIENCE_S: Final = 5.0
_VALID_TOKENS: Final = (
    "SELECT count(*) FROM tokens WHERE revoked_at IS NULL"
    " AND (expires_at IS NULL OR expires_at > ?)"
)


class Restored(Struct, frozen=True):
    """What is there now.

    kept:         where the database is that was there before; None: there was none
    valid_tokens: so many are valid by it, those that were revoked since among them
    """

    contents: Contents
    kept: Path | None
    valid_tokens: int


def restore(
    target: Path, backup: Path, watch: Watch, now: datetime, *, replace: bool
) -> Restored:
    """Put what a backup holds in the place of a database that nobody uses.

    target: the file of the database; it need not exist
    now:    names the file that the database before is kept in

    Under its name there is always a whole database, the one before or the restored
    one: it is written beside it, read again, and only then renamed.

    Raises UsageError(bad_backup_file, database_exists), StoreError(not_a_database,
    database_corrupt, schema_version, database_in_use, disk_full, backup_failed).
    """
    target, backup = (Path(os.path.realpath(path)) for path in (target, backup))
    _refuse_bad(target, backup)
    refuse_unknown(checked_contents(backup).revision)
    if _holds_something(target) and not replace:
        raise UsageError(
            f"{target}: there is a database", code="database_exists", hint="--replace"
        )
    with scratch_beside(target) as scratch:
        with resting(backup) as connection:
            copied(connection, scratch, watch)
            moment = (microseconds(now),)
            (tokens,) = connection.execute(_VALID_TOKENS, moment).fetchone()
        found = checked_contents(scratch)
        _for_the_owner_of(target, scratch)
        with _unused(target):
            kept = _keep(target, now)
            put_in_place(scratch, target)
    return Restored(found, kept, int(tokens))


def _refuse_bad(target: Path, backup: Path) -> None:
    what = None
    log = backup.with_name(f"{backup.name}-wal")
    if not backup.exists():
        what = "there is no such file"
    elif not backup.is_file():
        what = "it is not a regular file"
    elif backup in files_of(target) or (target.exists() and backup.samefile(target)):
        what = "it is the database itself"
    elif log.exists() and log.stat().st_size:
        what = f"it is used, or was copied while it was used: {log.name} is beside it"
    if what is not None:
        raise UsageError(
            f"{backup}: {what}",
            code="bad_backup_file",
            hint="name a file that `weighbridge db backup` has written",
        )


def _holds_something(target: Path) -> bool:
    """A file without a byte is what an interrupted start leaves."""
    return target.exists() and target.stat().st_size > 0


def _for_the_owner_of(target: Path, scratch: Path) -> None:
    """A database that root restores is still the service's."""
    there = target if target.exists() else target.parent
    found = there.stat()
    if os.geteuid() == 0:
        os.chown(scratch, found.st_uid, found.st_gid)
    if there is target:
        scratch.chmod(found.st_mode & 0o777)


@contextmanager
def _unused(target: Path) -> Iterator[None]:
    """Nobody else has the database open in the block, and all of it is in its file: its
    log ends with the last that used it.

    Raises StoreError(database_in_use).
    """
    if not _holds_something(target):
        yield
        return
    with closing(sqlite3.connect(target, _PATIENCE_S, isolation_level=None)) as mine:
        try:
            # SQLite leaves WAL only where no other connection is there, however idle.
            mine.execute("PRAGMA journal_mode = DELETE").close()
            mine.execute("BEGIN EXCLUSIVE").close()
        except sqlite3.Error as error:
            is_locked = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if is_locked or _is_locked(target):
                raise _in_use(target) from error
            # It is damaged, which is why another is restored.
        yield


_USED: Final = 128
"""The byte of the file `-shm` of which every open connection holds a lock
(`UNIX_SHM_DMS` in SQLite's os_unix.c)."""


def _is_locked(target: Path) -> bool:
    """Asked of the files alone, where SQLite cannot read them."""
    shared = target.with_name(f"{target.name}-shm")
    if not shared.exists():
        return False
    with shared.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _USED)
        except OSError:
            return True
    return False


def _in_use(target: Path) -> StoreError:
    return StoreError(
        f"{target}: a process uses the database",
        code="database_in_use",
        hint="stop weighbridge first, with every command that runs",
        retryable=True,
    )


def _keep(target: Path, now: datetime) -> Path | None:
    """Give the database that is there another name too; and what is left of its log,
    which SQLite would take for that of the restored one."""
    kept = target.with_name(f"{target.name}.before-{now:%Y%m%dT%H%M%SZ}")
    is_there = _holds_something(target)
    try:
        if is_there:
            kept.hardlink_to(target)
        for suffix in ("-wal", "-journal"):
            left = target.with_name(f"{target.name}{suffix}")
            if left.exists():
                left.rename(kept.with_name(f"{kept.name}{suffix}"))
        target.with_name(f"{target.name}-shm").unlink(missing_ok=True)
    except OSError as error:
        raise write_failed(kept, error.strerror or "") from error
    return kept if is_there else None
