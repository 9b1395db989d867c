"""Crawls a fake registry into a real SQLite file, at moments that tests choose."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.interfaces import DBAPICursor

from support.crawler import Crawler
from support.database import a_database
from support.policies import NO_JUDGING
from weighbridge.domain.report.inventory import (
    RepositoryCrawlReport,
    RepositoryReport,
    TagReport,
)
from weighbridge.engine.context.parts import Scope, Site
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl
from weighbridge.engine.judge.judged_batch import Judging
from weighbridge.ports.protocols import Registry
from weighbridge.store.registries.registry_rows import RegistryEntry
from weighbridge.store.reports.crawls import CrawlQuery, crawl_page
from weighbridge.store.reports.repositories import find_repository
from weighbridge.store.reports.tags import tag_page
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

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
    """A database, a clock that only moves by hand, and the questions of tests.

    judging: what its crawls judge images by
    telemetry: what they count
    """

    database: Database
    entry: RegistryEntry = ENTRY
    now: datetime = field(default=datetime(2026, 3, 1, 12, 0, tzinfo=UTC))
    judging: Judging = NO_JUDGING
    telemetry: Telemetry = field(default_factory=Telemetry)

    async def crawl(
        self,
        registry: Registry,
        scope: Scope | None = None,
        *,
        measure: bool = False,
        leaves_waiting: bool = False,
    ) -> RegistryCrawl:
        """One crawl of all that there is; the clock then stands an hour later.

        leaves_waiting: only of what is due
        """
        crawler = self.crawler(registry, scope)
        try:
            async with crawler.running():
                return await crawler.crawl(
                    self.entry.name, measure=measure, all_due=not leaves_waiting
                )
        finally:
            self.now += timedelta(hours=1)

    async def crawl_now(
        self,
        registry: Registry,
        names: Sequence[str] | None = None,
        *,
        measure: bool = False,
        owner: str | None = None,
    ) -> RegistryCrawl:
        """One that somebody asked for; the clock then stands an hour later.

        owner: the process that waits for it; None: this one
        """
        scope = Scope(only=None if names is None else tuple(names))
        crawler = self.crawler(registry, scope)
        crawler.owner = crawler.owner if owner is None else owner
        try:
            async with crawler.running():
                return await crawler.crawl_now(self.entry.name, names, measure=measure)
        finally:
            self.now += timedelta(hours=1)

    def crawler(self, registry: Registry, scope: Scope | None = None) -> Crawler:
        """An engine over the database, not begun yet."""
        return Crawler(
            self.database,
            lambda: self.now,
            {self.entry.name: registry},
            [Site(self.entry, scope or Scope())],
            judging=self.judging,
            telemetry=self.telemetry,
        )

    def repository(self, name: str) -> RepositoryReport:
        with self.database.read() as connection:
            found = find_repository(connection, self.entry.name, name)
        assert found is not None, f"no repository {name}"
        return found

    def tags(self, repository: str) -> dict[str, TagReport]:
        with self.database.read() as connection:
            page = tag_page(connection, self.entry.name, repository, limit=1000)
        return {tag.name: tag for tag in page.items}

    @contextmanager
    def counted_rows(self) -> Iterator[list[int]]:
        """One number for each statement that wrote rows while the block ran.

        A registry's count of requests is left out: how often it is added to depends on
        what was ready to be written together.
        """
        written: list[int] = []

        def note(
            connection: Connection, cursor: DBAPICursor, statement: str, *_: object
        ) -> None:
            if statement.startswith("UPDATE registries SET requests="):
                return
            # -1 where there is no telling: a SELECT, a BEGIN.
            if not cursor.description and cursor.rowcount > 0:
                written.append(cursor.rowcount)

        event.listen(Engine, "after_cursor_execute", note)
        try:
            yield written
        finally:
            event.remove(Engine, "after_cursor_execute", note)

    def crawls(self, repository: str) -> tuple[RepositoryCrawlReport, ...]:
        """Newest first."""
        with self.database.read() as connection:
            page = crawl_page(
                connection, CrawlQuery(registry=self.entry.name, repository=repository)
            )
        return page.items


@contextmanager
def a_yard(folder: Path) -> Iterator[Yard]:
    """A yard over an empty database in this folder."""
    with a_database(folder) as database:
        yield Yard(database)
