"""A small database with one repository, and the steps of a crawl in short."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select

from support.of_one import close_crawl, open_crawl
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Document
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.report.inventory import (
    RepositoryReport,
    RepositoryState,
    TagReport,
)
from weighbridge.store.crawls.crawl_rows import CrawlResult
from weighbridge.store.facts.images import keep_documents
from weighbridge.store.leases.claiming import Claim, claim
from weighbridge.store.models import repositories
from weighbridge.store.read_model.summaries import refresh_summary
from weighbridge.store.registries.registry_rows import RegistryEntry, put_registry
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.reports.repositories import find_repository
from weighbridge.store.reports.tags import tag_page
from weighbridge.store.session import Database
from weighbridge.store.tags.applying import (
    Move,
    apply_deleted,
    apply_failures,
    apply_moves,
)
from weighbridge.store.tags.tag_rows import TagFailure

T0: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)


def an_entry(
    name: str = "hub",
    *,
    url: str | None = None,
    address_class: str | None = None,
    configured: frozenset[str] | None = None,
) -> RegistryEntry:
    """A configured registry; each name has an address of its own."""
    url = url or f"https://{name}.example"
    return RegistryEntry(
        name, "distribution", url, "registry", address_class, 3600, configured
    )


def a_result(
    *,
    complete: bool = True,
    state: RepositoryState = "ok",
    reason: str = "",
    requests: int = 3,
    bytes_read: int = 1000,
    held: Iterable[str] = (),
) -> CrawlResult:
    """How a crawl ended, with nothing counted."""
    return CrawlResult(
        state=state,
        reason=reason,
        complete=complete,
        tags_seen=0,
        tags_new=0,
        tags_moved=0,
        tags_deleted=0,
        tags_failed=0,
        invalid_tags=0,
        requests=requests,
        bytes_read=bytes_read,
        held=frozenset(held),
    )


@dataclass
class World:
    """One repository of one registry, whose clock goes on a minute a step."""

    database: Database
    registry: str = "hub"
    repository: str = "acme/app"
    now: datetime = T0
    platforms: Sequence[Platform] = field(default_factory=lambda: [DEFAULT])
    registry_id: int = 0
    repository_id: int = 0
    url: str | None = None

    def __post_init__(self) -> None:
        with self.database.write() as connection:
            entry = an_entry(self.registry, url=self.url)
            self.registry_id = put_registry(connection, entry, self.now)
            ids = put_repositories(
                connection, self.registry_id, [self.repository], self.now
            )
        self.repository_id = ids[self.repository]

    @property
    def scope_id(self) -> int:
        """The storage scope that the repository belongs to."""
        with self.database.read() as connection:
            found: int = connection.execute(
                select(repositories.c.scope_id).where(
                    repositories.c.id == self.repository_id
                )
            ).scalar_one()
        return found

    def claimed(self, connection: Connection) -> Claim:
        """A claim, taken over from whoever had one before."""
        self.now += timedelta(days=1)
        taken = claim(connection, self.repository_id, now=self.now, lease_s=60)
        assert taken is not None
        return taken

    def keep(
        self,
        *documents: Document,
        missing: Mapping[Digest, str] | None = None,
    ) -> None:
        """Keep facts."""
        with self.database.write() as connection:
            keep_documents(connection, documents, missing or {})

    def crawl(
        self,
        moves: Mapping[str, Document | Digest] | None = None,
        *,
        failures: Iterable[TagFailure] = (),
        deleted: Iterable[str] = (),
        pushed_at: datetime | None = None,
        result: CrawlResult | None = None,
    ) -> None:
        """One whole crawl: what was found, the read model, the end of the crawl."""
        with self.database.write() as connection:
            taken = self.claimed(connection)
            opened = open_crawl(connection, taken, self.now).id
            found = moves or {}
            documents = [d for d in found.values() if not isinstance(d, str)]
            keep_documents(connection, documents, {})
            apply_moves(
                connection,
                taken,
                [
                    Move(name, d if isinstance(d, str) else d.digest, pushed_at)
                    for name, d in found.items()
                ],
                self.now,
            )
            apply_failures(connection, taken, list(failures), self.now)
            apply_deleted(connection, taken, list(deleted), self.now)
            refresh_summary(connection, self.repository_id, self.now, self.platforms)
            due_at = self.now + timedelta(hours=1)
            close_crawl(
                connection, taken, opened, result or a_result(), self.now, due_at
            )

    def report(self) -> RepositoryReport:
        """The repository's row of the read model."""
        with self.database.read() as connection:
            found = find_repository(connection, self.registry, self.repository)
        assert found is not None
        return found

    def tags(self) -> dict[str, TagReport]:
        """The repository's tags by name."""
        with self.database.read() as connection:
            page = tag_page(connection, self.registry, self.repository, limit=1000)
        return {tag.name: tag for tag in page.items}
