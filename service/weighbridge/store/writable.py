"""Whether a database takes writes, found out without writing."""

import os
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from weighbridge.store.connection.failures import read_only
from weighbridge.store.dialect import POSTGRESQL
from weighbridge.store.session import Database

# What this session was given at its start; a reader's own transaction is always
# read only, which says nothing.
_SERVER_TAKES_NONE: Final = text(
    "SELECT pg_is_in_recovery()"
    " OR current_setting('default_transaction_read_only')::boolean"
)
_FILES: Final = text("SELECT file FROM pragma_database_list WHERE name = 'main'")


def check_writable(database: Database) -> None:
    """Raises StoreError(read_only) where writing would fail, as far as that can be
    seen beforehand: rights and mounts of a file; a standby, or a setting of the
    server, the user or the database as it was when the session began."""
    with database.read() as connection:
        is_server = connection.dialect.name == POSTGRESQL
        if is_server:
            takes_none = bool(connection.execute(_SERVER_TAKES_NONE).scalar_one())
        else:
            takes_none = not _is_writable_file(connection)
    if takes_none:
        raise read_only(is_server=is_server)


def _is_writable_file(connection: Connection) -> bool:
    """SQLite writes two more files beside its own, so the folder counts too."""
    path = Path(connection.execute(_FILES).scalar_one())
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
