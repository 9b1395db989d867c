"""Records of crawls, and of requests to crawl, pruned by age."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Row, bindparam, delete, exists, select

from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.models import crawl_chunks, crawl_requests, crawls
from weighbridge.store.session import Database

_PIECE: Final = 2_000
_later = crawls.alias("later")
# A repository's last crawl stays: it says why its numbers are as they are.
_IS_LAST: Final = ~exists().where(
    _later.c.repository_id == crawls.c.repository_id, _later.c.id > crawls.c.id
)
# Ids are in the order in which crawls began.
_NEXT: Final = (
    select(
        crawls.c.id,
        crawls.c.started_at,
        crawls.c.ended_at,
        _IS_LAST.label("is_last"),
    )
    .where(crawls.c.id > bindparam("after"))
    .order_by(crawls.c.id)
    .limit(_PIECE)
)
_DROP_CHUNKS: Final = delete(crawl_chunks).where(among_ids(crawl_chunks.c.crawl_id))
_DROP: Final = delete(crawls).where(among_ids(crawls.c.id))


def prune_crawls(
    database: Database,
    keep: timedelta | None,
    now: datetime,
    is_stopped: Callable[[], bool],
) -> int:
    """Remove crawls that ended longer ago than `keep`; returns how many."""
    if keep is None:
        return 0
    removed, after = 0, -1
    while not is_stopped():
        with database.read() as connection:
            rows = connection.execute(_NEXT, {"after": after}).all()
        removed += _remove(
            database, [row.id for row in rows if _is_old(row, now - keep)]
        )
        if len(rows) < _PIECE or rows[-1].started_at > now - keep:
            break
        after = rows[-1].id
    return removed


def _is_old(row: Row[*tuple[object, ...]], before: datetime) -> bool:
    has_ended = row.ended_at is not None and row.ended_at < before
    return has_ended and not row.is_last


def _remove(database: Database, old: Sequence[int]) -> int:
    if old:
        with database.write() as connection:
            connection.execute(_DROP_CHUNKS, {"ids": listed(old)})
            connection.execute(_DROP, {"ids": listed(old)})
    return len(old)


def prune_requests(database: Database, keep: timedelta | None, now: datetime) -> None:
    """Remove requests that ended longer ago than `keep`. There are as many as people
    and their programs make, so that one statement will do."""
    if keep is None:
        return
    with database.write() as connection:
        connection.execute(
            delete(crawl_requests).where(crawl_requests.c.ended_at < now - keep)
        )
