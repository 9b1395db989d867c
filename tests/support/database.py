"""An empty database of today's schema, made quickly: migrated once, then copied."""

import functools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weighbridge.store.session import Database, open_database, upgrade


@contextmanager
def a_database(folder: Path) -> Iterator[Database]:
    """Open in `folder / "weighbridge.db"` until the block ends."""
    path = folder / "weighbridge.db"
    path.write_bytes(_migrated())
    database = open_database(f"sqlite:///{path}")
    try:
        yield database
    finally:
        database.close()


@functools.cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weighbridge.db"
        database = open_database(f"sqlite:///{path}")
        upgrade(database)
        # Closing the last connection moves the write-ahead log into the file.
        database.close()
        return path.read_bytes()
