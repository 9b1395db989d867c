"""An empty database of today's schema, made quickly: migrated once, then copied."""

import functools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

from weighbridge.store.schema import upgrade
from weighbridge.store.session import Database, open_database

Engine: TypeAlias = Literal["sqlite", "postgresql"]


@contextmanager
def a_database(folder: Path, engine: Engine = "sqlite") -> Iterator[Database]:
    """Open until the block ends; SQLite's is `folder / "weighbridge.db"`."""
    with a_database_url(folder, engine) as url:
        database = open_database(url)
        try:
            yield database
        finally:
            database.close()


@contextmanager
def a_database_url(folder: Path, engine: Engine = "sqlite") -> Iterator[str]:
    """The same, to be opened by whoever wants, as often as they want."""
    if engine == "sqlite":
        path = folder / "weighbridge.db"
        path.write_bytes(_migrated())
        yield f"sqlite:///{path}"
    else:
        # Only who asks for PostgreSQL needs its driver.
        from support.postgres import a_postgresql_url

        with a_postgresql_url() as url:
            yield url


@contextmanager
def an_empty_url(folder: Path, engine: Engine = "sqlite") -> Iterator[str]:
    """The URL of a database in which nobody has made a table yet."""
    if engine == "sqlite":
        yield f"sqlite:///{folder}/empty.db"
    else:
        from support.postgres import a_postgresql_url

        with a_postgresql_url(is_migrated=False) as url:
            yield url


@functools.cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weighbridge.db"
        database = open_database(f"sqlite:///{path}")
        upgrade(database)
        # Closing the last connection moves the write-ahead log into the file.
        database.close()
        return path.read_bytes()
