"""What the store does for many repositories, done for one."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, select

from weighbridge.domain.image.platform import Platform
from weighbridge.store.crawls.crawl_rows import (
    Closing,
    CrawlResult,
    OpenCrawl,
    close_many,
    open_crawls,
)
from weighbridge.store.crawls.due import is_due
from weighbridge.store.leases.claiming import Claim, Opening, hold
from weighbridge.store.models import registries, repositories
from weighbridge.store.read_model.summaries import refresh_many
from weighbridge.store.registries.repository_rows import standing_page


def open_crawl(
    connection: Connection, held: Claim, now: datetime, *, resume_s: float = 0
) -> OpenCrawl:
    """`open_crawls` of one. Raises StaleFence."""
    hold(connection, held, now)
    opening = Opening(held.repository_id, now, held.lease_s, resume_s=resume_s)
    return open_crawls(connection, [opening])[held.repository_id]


def close_crawl(
    connection: Connection,
    held: Claim,
    crawl_id: int,
    result: CrawlResult,
    now: datetime,
    due_at: datetime,
) -> None:
    """`close_many` of one. Raises StaleFence."""
    closing = Closing(held, crawl_id, result, now, due_at, has_chunks=True)
    (lost,) = close_many(connection, [closing])
    if lost is not None:
        raise lost


def refresh_if_stale(
    connection: Connection,
    repository_id: int,
    now: datetime,
    platforms: Sequence[Platform],
) -> bool:
    """The same as `refresh_many`, of one; returns whether its row was behind."""
    return bool(refresh_many(connection, [repository_id], now, platforms))


class DueRepository(NamedTuple):
    """A repository whose next crawl is due."""

    repository_id: int
    repository: str


def due_repositories(
    connection: Connection, registry: str, now: datetime, limit: int
) -> list[DueRepository]:
    """Those of a registry."""
    registry_id = (
        select(registries.c.id).where(registries.c.name == registry).scalar_subquery()
    )
    rows = connection.execute(
        select(repositories.c.id, repositories.c.name)
        .where(*is_due(registry_id, now))
        .order_by(repositories.c.due_at, repositories.c.id)
        .limit(limit)
    )
    return [DueRepository(*row) for row in rows]


def repositories_of(connection: Connection, registry_id: int) -> dict[str, int]:
    """The id of the repositories that a registry has or had last, by name."""
    page = standing_page(connection, registry_id, 0, 1_000)
    return {one.repository: one.repository_id for one in page}
