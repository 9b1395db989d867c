"""Crawls that may go wrong, over a database that is watched meanwhile.

The functions of `bootstrap`, as the command line calls them; the clock stands still,
so that two crawls which learn the same at different times store the same.
"""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeAlias

from sqlalchemy import Connection, text

from support.database import Engine, a_database_url
from support.database_dump import Dump, dump_of_url
from weighbridge.bootstrap.databases import ready_database
from weighbridge.bootstrap.engine.assembly import Embedded, crawl_targets, utc_now
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.bootstrap.registries.targets import find_targets
from weighbridge.config import RegistrySettings, Settings, load_settings
from weighbridge.domain.image.digest import from_raw
from weighbridge.domain.report.inventory import RepositoryReport
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl
from weighbridge.store.maintenance.checking.verify import verify
from weighbridge.store.reports.repositories import find_repository
from weighbridge.store.session import Database, open_database
from weighbridge.telemetry import Telemetry

NAME: Final = "near"
"""What the registry is called, wherever it is."""
BEGINNING: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)

Record: TypeAlias = str | None
"""Where a tag points, None where it is gone or was never read."""
_RECORDS: Final = text("""
    SELECT repositories.name || ':' || tags.name, blobs.digest, tags.deleted_at
    FROM tags JOIN repositories ON repositories.id = tags.repository_id
    LEFT JOIN blobs ON blobs.id = tags.target_id""")
_LOOKS_A_SECOND: Final = 40
# What differs once somebody else has committed.
_MOMENT: Final = {
    "sqlite": "PRAGMA data_version",
    "postgresql": "SELECT pg_current_snapshot()::text",
}


@dataclass(slots=True)
class CrawledDatabase:
    """A database, and the moment at which it is crawled next. `crawled_database` makes
    one that is verified at its end.

    path:       SQLite's file; its folder is for whatever belongs to the database
    now:        the same for every crawl until a test moves it
    server_url: of a database on a server, "" for SQLite
    """

    path: Path
    now: datetime = BEGINNING + HOUR
    telemetry: Telemetry = field(default_factory=Telemetry)
    server_url: str = ""

    @property
    def url(self) -> str:
        return self.server_url or f"sqlite:///{self.path}"

    def settings(self, *registries: RegistrySettings) -> Settings:
        settings = load_settings(None, {}, KINDS, database_url=self.url)
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
        with _opened(self.url) as opened, opened.read() as connection:
            return _records(connection)

    def assert_verified(self) -> None:
        """Every total is what its tags and facts say."""
        now = max(self.now, utc_now())
        with _opened(self.url) as opened:
            found = [str(d) for d in verify(opened, {}, now, lambda *_: None)]
        assert not found, f"{len(found)} totals are wrong: {found[:10]}"

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
    settings = load_settings(None, {}, KINDS).model_copy(
        update={"registries": registries}
    )
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


@contextmanager
def crawled_database(
    folder: Path, engine: Engine = "sqlite", now: datetime = BEGINNING
) -> Iterator[CrawledDatabase]:
    """A new one without any content until the block ends, when it is verified."""
    folder.mkdir(parents=True, exist_ok=True)
    with a_database_url(folder, engine) as url:
        server_url = "" if engine == "sqlite" else url
        made = CrawledDatabase(
            folder / "weighbridge.db", now=now, server_url=server_url
        )
        yield made
        made.assert_verified()


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = open_database(url)
    try:
        yield database
    finally:
        database.close()


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
def watching(database: CrawledDatabase) -> Iterator[Watch]:
    """Look at it, by its own connections, whenever something was committed, and once
    more at the end."""
    watch, is_over = Watch(), threading.Event()

    def look() -> None:
        with _opened(database.url) as opened:
            is_last, seen = False, None
            while not is_last:
                is_last = is_over.wait(1 / _LOOKS_A_SECOND)
                with opened.read() as connection:
                    moment = connection.exec_driver_sql(
                        _MOMENT[connection.dialect.name]
                    ).scalar()
                    if is_last or moment != seen:
                        watch.note(_records(connection))
                    seen = moment

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        is_over.set()
        thread.join()


def _records(connection: Connection) -> dict[str, Record]:
    return {
        tag: None if digest is None or deleted_at is not None else from_raw(digest)
        for tag, digest, deleted_at in connection.execute(_RECORDS)
    }
