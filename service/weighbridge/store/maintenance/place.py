"""Where a database is, and what may be done there: room, rights, clock."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, text

from weighbridge.store.dialect import POSTGRESQL
from weighbridge.store.dialect.server import time_of_server
from weighbridge.store.session import Database

_FILE: Final = text("SELECT file FROM pragma_database_list WHERE name = 'main'")
_STORED: Final = text("SELECT pg_database_size(current_database())")
# Rolled back: nobody ever sees it.
_TRIAL: Final = "CREATE TABLE weighbridge_doctor_trial (id INTEGER)"

_OF_NETWORKS: Final = (
    *("9p", "afs", "ceph", "cifs", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs"),
    *("fuse.rclone", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs"),
)
_MOUNTS: Final = Path("/proc/self/mountinfo")


class DatabasePlace(Struct, frozen=True):
    """Where it is.

    file:         None: a server has it, and its disk is not to be seen from here
    stored_bytes: what it takes; of a file with what SQLite lays beside it
    free_bytes:   on the disk of the file; None where that is not known
    network:      the type of the file's file system, where it is a network's
    """

    stored_bytes: int
    file: str | None = None
    free_bytes: int | None = None
    network: str | None = None


def place_of(connection: Connection) -> DatabasePlace:
    """Raises OSError where the file has gone meanwhile."""
    if connection.dialect.name == POSTGRESQL:
        return DatabasePlace(int(connection.execute(_STORED).scalar_one()))
    file = Path(connection.execute(_FILE).scalar_one())
    beside = (file.with_name(f"{file.name}{ending}") for ending in ("-wal", "-shm"))
    stored = sum(each.stat().st_size for each in (file, *beside) if each.exists())
    try:
        kind = type_of_file_system(str(file), _MOUNTS.read_text(errors="replace"))
    except OSError:
        kind = ""  # another system than Linux, or no /proc
    return DatabasePlace(
        stored,
        str(file),
        shutil.disk_usage(file.parent).free,
        kind if kind in _OF_NETWORKS else None,
    )


def type_of_file_system(file: str, mounts: str) -> str:
    """What a file lies on, by the text of /proc/self/mountinfo (proc(5)); "" where it
    says nothing. file: an absolute path without links"""
    found, longest = "", -1
    for line in mounts.splitlines():
        fields, _, kind = line.partition(" - ")
        parts = fields.split(" ")
        if len(parts) < 5 or not kind:
            continue
        # Spaces and the like are written as \040.
        at = parts[4].encode().decode("unicode_escape", "replace").rstrip("/")
        # Of two at one place the later one covers the earlier.
        if (file == at or file.startswith(f"{at}/")) and len(at) >= longest:
            found, longest = kind.split(" ")[0], len(at)
    return found


class _Undone(Exception):
    """What was tried is rolled back."""


def try_to_make_a_table(database: Database) -> None:
    """As an upgrade would; nothing of it is kept. Raises StoreError(read_only,
    database_auth, database_busy, disk_full, ...)."""
    try:
        with database.write() as connection:
            connection.exec_driver_sql(_TRIAL)
            raise _Undone
    except _Undone:
        return


def clock_ahead_s(connection: Connection) -> float | None:
    """How far this machine's clock is ahead of the server's, in seconds; None where
    the database has no clock of its own."""
    before = datetime.now(UTC)
    stated = time_of_server(connection)
    if stated is None:
        return None
    middle = before + (datetime.now(UTC) - before) / 2
    return (middle - stated.astimezone(UTC)).total_seconds()
