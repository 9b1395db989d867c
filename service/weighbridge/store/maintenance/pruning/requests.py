"""Records of what somebody asked to be crawled, pruned by age as those of crawls."""

from datetime import datetime, timedelta

from sqlalchemy import delete

from weighbridge.store.models import crawl_requests
from weighbridge.store.session import Database


def prune_requests(database: Database, keep: timedelta | None, now: datetime) -> None:
    """Remove requests that ended longer ago than `keep`. There are as many as people
    and their programs make, so that one statement will do."""
    if keep is None:
        return
    with database.write() as connection:
        connection.execute(
            delete(crawl_requests).where(crawl_requests.c.ended_at < now - keep)
        )
