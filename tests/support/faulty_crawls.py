"""Crawls that may go wrong, over a database that is watched meanwhile.

The functions of `bootstrap`, as the command line calls them; the clock stands still,
so that two crawls which learn the same at different times store the same.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeAlias

from support.database_dump import Dump, dump_of_url
from weighbridge.audit.crawl_report import RegistryCrawl
from weighbridge.audit.progress import Progress
from weighbridge.bootstrap.crawling import crawl_targets, utc_now
from weighbridge.bootstrap.databases import ready_database
from weighbridge.bootstrap.embedded import Embedded
from weighbridge.bootstrap.targets import find_targets
from weighbridge.config import RegistrySettings, Settings, load_settings
from weighbridge.domain.digest import from_raw
from weighbridge.domain.report import RepositoryReport
from weighbridge.store.reports import find_repository
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

NAME: Final = "near"
"""What the registry is called, wherever it is."""
BEGINNING: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)

Record: TypeAlias = str | None
"""Where a tag points, None where it is gone or was never read."""
_RECORDS: Final = """
    SELECT repositories.name || ':' || tags.name, blobs.digest, tags.gone_at
    FROM tags JOIN repositories ON repositories.id = tags.repository_id
    LEFT JOIN blobs ON blobs.id = tags.target_id"""
_LOOKS_A_SECOND: Final = 100


@dataclass(slots=True)
class CrawledDatabase:
    """An SQLite file, and the moment at which it is crawled next.

    now: the same for every crawl until a test moves it
    """

    path: Path
    now: datetime = BEGINNING + HOUR
    telemetry: Telemetry = field(default_factory=Telemetry)

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def settings(self, *registries: RegistrySettings) -> Settings:
        settings = load_settings(None, {}, database_url=self.url)
        return settings.model_copy(update={"registries": registries})

    def crawl(
        self, url: str, *only: str, registry: RegistrySettings | None = None
    ) -> RegistryCrawl:
        """One crawl of the registry at this address.

        only:     these repositories
        registry: settings with more than an address
        """
        registry = registry or RegistrySettings(name=NAME, url=url)
        settings = self.settings(registry)
        named = [f"{registry.name}/{repository}" for repository in only]
        targets = find_targets(settings, named)
        now = self.now
        with ready_database(settings) as database:
            report = asyncio.run(
                crawl_targets(
                    settings,
                    targets,
                    database,
                    self.telemetry,
                    Progress(),
                    clock=lambda: now,
                )
            )
        (done,) = report.registries
        return done

    def dump(self) -> Dump:
        return dump_of_url(self.url)

    def repository(self, name: str) -> RepositoryReport | None:
        """What the pages and the API say of it."""
        with (
            ready_database(self.settings()) as database,
            database.read() as connection,
        ):
            return find_repository(connection, NAME, name)

    def records(self) -> dict[str, Record]:
        """Every tag, by repository:tag."""
        with closing(sqlite3.connect(self.path)) as connection:
            return _records(connection)

    def counted(self, metric: str, **labels: str) -> float:
        """A counter of the crawls so far; 0 where it never counted."""
        value = self.telemetry.registry.get_sample_value(
            metric, {"registry": NAME, **labels}
        )
        return value or 0.0


@contextmanager
def embedded(
    database: Database,
    *registries: RegistrySettings,
    speed: int = 30,
    telemetry: Telemetry | None = None,
) -> Iterator[None]:
    """What `up` does beside serving: crawls these while the block runs, by a clock
    that is so much faster than the real one."""
    began = utc_now()
    settings = load_settings(None, {}).model_copy(update={"registries": registries})
    running = Embedded(
        settings,
        database,
        telemetry or Telemetry(),
        clock=lambda: began + (utc_now() - began) * speed,
    )
    running.start()
    try:
        yield
    finally:
        running.close()


def a_crawled_database(path: Path, url: str) -> CrawledDatabase:
    """A new one, an hour after its first crawl."""
    database = CrawledDatabase(path, BEGINNING)
    database.crawl(url)
    database.now += HOUR
    return database


@dataclass(slots=True)
class Watch:
    """Everything that another connection saw of each tag while the block ran.

    looks: how often it looked
    """

    seen: dict[str, set[Record]] = field(default_factory=dict)
    looks: int = 0

    def note(self, records: Mapping[str, Record]) -> None:
        self.looks += 1
        for tag, record in records.items():
            self.seen.setdefault(tag, set()).add(record)

    def strange(
        self, old: Mapping[str, Record], new: Mapping[str, Record]
    ) -> dict[str, set[Record]]:
        """Records that are neither the old nor the new one, by tag."""
        strange = {}
        for tag, records in self.seen.items():
            if other := records - {old.get(tag), new.get(tag)}:
                strange[tag] = other
        return strange

    def removed(self, old: Mapping[str, Record]) -> set[str]:
        """Tags that were there and then not."""
        return {t for t, seen in self.seen.items() if None in seen and old.get(t)}


@contextmanager
def watching(path: Path) -> Iterator[Watch]:
    """Look at the file again and again, and once more at the end."""
    watch, is_over = Watch(), threading.Event()

    def look() -> None:
        with closing(sqlite3.connect(path, timeout=10)) as connection:
            is_last = False
            while not is_last:
                is_last = is_over.wait(1 / _LOOKS_A_SECOND)
                watch.note(_records(connection))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        is_over.set()
        thread.join()


def _records(connection: sqlite3.Connection) -> dict[str, Record]:
    return {
        tag: None if digest is None or gone_at is not None else from_raw(digest)
        for tag, digest, gone_at in connection.execute(_RECORDS)
    }
