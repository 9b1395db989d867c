"""What a SQLite file holds that nobody writes, and whether it is whole."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from weighbridge.errors import StoreError
from weighbridge.store.connection.sqlite_file import as_uri, is_ours
from weighbridge.store.models.types import moment_of

_REVISION: Final = "SELECT version_num FROM alembic_version"
_REPOSITORIES: Final = "SELECT count(*) FROM repositories"
_TAGS: Final = "SELECT count(*) FROM tags WHERE deleted_at IS NULL"
_LAST_CRAWL: Final = "SELECT max(ended_at) FROM crawls"


@dataclass(frozen=True, slots=True)
class Contents:
    """
    revision:      of its schema
    tags:          those that are not deleted
    last_crawl_at: when the last crawl of a repository in it ended; None: none did
    """

    revision: str
    repositories: int
    tags: int
    last_crawl_at: datetime | None


def checked_contents(path: Path) -> Contents:
    """What a file holds, once every page of it was read.

    Raises StoreError(database_corrupt, not_a_database).
    """
    with resting(path) as connection:
        if not is_ours(connection):
            raise StoreError(
                f"{path}: the file is no database of weighbridge",
                code="not_a_database",
                hint="name a file that `weighbridge db backup` has written",
            )
        # All that `integrity_check` does, but for comparing indexes with their tables,
        # which takes several times as long.
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise _damaged(path)
        return contents(connection)


def contents(connection: sqlite3.Connection) -> Contents:
    """The same of an open one, which is taken to be whole."""
    (last,) = connection.execute(_LAST_CRAWL).fetchone()
    return Contents(
        revision=str(connection.execute(_REVISION).fetchone()[0]),
        repositories=int(connection.execute(_REPOSITORIES).fetchone()[0]),
        tags=int(connection.execute(_TAGS).fetchone()[0]),
        last_crawl_at=None if last is None else moment_of(last),
    )


@contextmanager
def resting(path: Path) -> Iterator[sqlite3.Connection]:
    """The file as one that nobody changes: nothing is made beside it.

    Raises StoreError(database_corrupt, not_a_database).
    """
    uri = f"{as_uri(path)}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            yield connection
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_NOTADB:
            raise StoreError(
                f"{path}: the file is not a SQLite database",
                code="not_a_database",
                hint="name a file that `weighbridge db backup` has written",
            ) from error
        raise _damaged(path) from error


def _damaged(path: Path) -> StoreError:
    return StoreError(
        f"{path}: the file is damaged or not whole",
        code="database_corrupt",
        hint="use another backup",
    )
