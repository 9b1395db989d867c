"""Crawls a fake registry into a real SQLite file, at moments that tests choose."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from support.database import a_database
from support.fake_registry import FakeRegistry
from weighbridge.audit.crawl import Crawl
from weighbridge.audit.crawl_report import RegistryCrawl
from weighbridge.audit.progress import Progress
from weighbridge.audit.scope import Scope
from weighbridge.audit.writer import Writer
from weighbridge.domain.report import PassReport, RepositoryReport, TagReport
from weighbridge.store.registries import RegistryEntry
from weighbridge.store.reports import (
    find_repository,
    pass_page,
    tag_page,
)
from weighbridge.store.session import Database

ENTRY = RegistryEntry(
    name="fake",
    kind="distribution",
    url="http://127.0.0.1:5000",
    storage_scope="registry",
    address_class="loopback",
    interval_s=3600,
)


@dataclass(slots=True)
class Yard:
    """A database, a clock that only moves by hand, and the questions of tests."""

    database: Database
    now: datetime = field(default=datetime(2026, 3, 1, 12, 0, tzinfo=UTC))

    async def crawl(
        self,
        registry: FakeRegistry,
        scope: Scope | None = None,
        *,
        measure: bool = False,
    ) -> RegistryCrawl:
        """One crawl; the clock then stands an hour later."""
        writer = Writer(self.database)
        try:
            crawl = Crawl(
                registry,
                ENTRY,
                scope or Scope(),
                writer,
                Progress(),
                lambda: self.now,
            )
            return await crawl.run(measure=measure)
        finally:
            writer.close()
            self.now += timedelta(hours=1)

    def repository(self, name: str) -> RepositoryReport:
        with self.database.read() as connection:
            found = find_repository(connection, "fake", name)
        assert found is not None, f"no repository {name}"
        return found

    def tags(self, repository: str) -> dict[str, TagReport]:
        with self.database.read() as connection:
            page = tag_page(connection, "fake", repository, limit=1000)
        return {tag.name: tag for tag in page.items}

    def rows_written(self) -> int:
        """Rows inserted, changed or deleted so far. All is done on one thread, so
        that one connection has made all of it."""
        with self.database.read() as connection:
            count: int = connection.execute(text("SELECT total_changes()")).scalar_one()
        return count

    def passes(self, repository: str) -> tuple[PassReport, ...]:
        """Newest first."""
        with self.database.read() as connection:
            page = pass_page(connection, registry="fake", repository=repository)
        return page.items


@contextmanager
def a_yard(folder: Path) -> Iterator[Yard]:
    """A yard over an empty database in this folder."""
    with a_database(folder) as database:
        yield Yard(database)
