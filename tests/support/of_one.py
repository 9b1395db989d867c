"""What the store does for many repositories, done for one."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from weighbridge.domain.image.platform import Platform
from weighbridge.store.crawls.crawl_rows import (
    Closing,
    CrawlResult,
    CrawlStart,
    OpenCrawl,
    close_many,
    open_crawls,
)
from weighbridge.store.leases.claiming import Claim, hold
from weighbridge.store.read_model.summaries import refresh_many


def open_crawl(
    connection: Connection, held: Claim, now: datetime, *, resume_s: float = 0
) -> OpenCrawl:
    """`open_crawls` of one. Raises StaleFence."""
    hold(connection, held, now)
    return open_crawls(connection, [CrawlStart(held, now, resume_s)])[0]


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
