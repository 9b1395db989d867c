"""A database that has learned something, to be copied for each test."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

from support.faulty_crawls import CrawledDatabase


@dataclass(frozen=True, slots=True)
class KnownDatabase:
    """SQLite's is a file, `name` is that of a database on the shared server."""

    path: Path
    name: str = ""

    @contextmanager
    def copied(self, path: Path) -> Iterator[str]:
        """A copy until the block ends: at the path, or on the server. Yields its URL
        there, "" for the file."""
        if not self.name:
            shutil.copy(self.path, path)
            yield ""
            return
        from support.postgres import shared_cluster

        cluster = shared_cluster()
        name = cluster.create(template=self.name)
        try:
            yield cluster.url(name)
        finally:
            cluster.drop(name)


@contextmanager
def known_database(database: CrawledDatabase, path: Path) -> Iterator[KnownDatabase]:
    """What the database knows now; nobody may be connected to it.

    path: where SQLite's is kept
    """
    name = make_url(database.url).database if database.server_url else ""
    with KnownDatabase(database.path, name or "").copied(path) as url:
        yield KnownDatabase(path, (make_url(url).database or "") if url else "")
