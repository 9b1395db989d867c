"""The cursor of a crawl under way, in rows of `crawl_chunks`.

It is the set of tags that the crawl has been answered about, kept in pieces by the
transactions that kept what the tags are: a listing may have any order and may change
meanwhile, so that no name in it says what lies before. Several processes may work on a
crawl (`chunks`): what it has done is added up in its row.
"""

import json
from collections.abc import Collection
from typing import Any, Final, NamedTuple

from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    exists,
    select,
    update,
)

from weighbridge.store.dialect import BulkInsert, among_ids, listed
from weighbridge.store.models import crawl_chunks, crawls

_chunk = crawl_chunks.c
_NEW: Final = BulkInsert(crawl_chunks, "crawl_id", "position", "step", "names")
IS_OPEN: Final = _chunk.tags.is_not(None)
"""A chunk that is not asked yet."""
IS_IT: Final = and_(
    _chunk.crawl_id == bindparam("crawl"), _chunk.position == bindparam("place")
)


class CrawlCounts(Struct, frozen=True):
    """What a crawl has done so far, or a part of that."""

    tags_seen: int = 0
    tags_new: int = 0
    tags_moved: int = 0
    tags_failed: int = 0
    requests: int = 0
    bytes_read: int = 0

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Of the columns of `crawls`."""
        return cls.__struct_fields__

    def __add__(self, other: "CrawlCounts") -> "CrawlCounts":
        return CrawlCounts(
            self.tags_seen + other.tags_seen,
            self.tags_new + other.tags_new,
            self.tags_moved + other.tags_moved,
            self.tags_failed + other.tags_failed,
            self.requests + other.requests,
            self.bytes_read + other.bytes_read,
        )

    def __sub__(self, other: "CrawlCounts") -> "CrawlCounts":
        return CrawlCounts(
            self.tags_seen - other.tags_seen,
            self.tags_new - other.tags_new,
            self.tags_moved - other.tags_moved,
            self.tags_failed - other.tags_failed,
            self.requests - other.requests,
            self.bytes_read - other.bytes_read,
        )


NO_COUNTS: Final = CrawlCounts()


def adding(where: ColumnElement[bool]) -> Any:  # Any: see `sqlalchemy.Update`
    """Many count in one row: each adds what it has, once."""
    names = CrawlCounts.names()
    return (
        update(crawls)
        .where(crawls.c.id == bindparam("crawl"), where)
        .values({name: crawls.c[name] + bindparam(f"_{name}") for name in names})
    )


_ADD_OF_PIECE: Final = adding(~exists().where(IS_IT))
_DROP: Final = delete(crawl_chunks).where(among_ids(_chunk.crawl_id))
_CLOSE: Final = (
    update(crawl_chunks)
    .where(among_ids(_chunk.crawl_id), IS_OPEN)
    .values(tags=None, found=None, lease_until=None, lease_owner=None)
)
_PIECES: Final = select(_chunk.crawl_id, _chunk.position, _chunk.names).where(
    among_ids(_chunk.crawl_id)
)


class Cursor(NamedTuple):
    """answered: tags that need not be asked again
    chunks:   so many positions are taken
    """

    answered: frozenset[str] = frozenset()
    chunks: int = 0


def note_answered(
    connection: Connection,
    crawl_id: int,
    position: int,
    names: Collection[str],
    counts: CrawlCounts,
) -> None:
    """Move the cursor: these tags need not be asked again by this crawl.

    To be called in the transaction that keeps what they are. A piece that is there
    already was kept by a commit whose answer was lost.

    counts: what there was since the last piece
    """
    place = {"crawl": crawl_id, "place": position}
    connection.execute(_ADD_OF_PIECE, {**place, **counted(counts)})
    _NEW.add(connection, [(crawl_id, position, 1, json.dumps(list(names)))])


def counted(counts: CrawlCounts) -> dict[str, int]:
    """Parameters of `adding`."""
    return {f"_{name}": getattr(counts, name) for name in counts.names()}


def take_cursors(
    connection: Connection, crawl_ids: Collection[int]
) -> dict[int, Cursor]:
    """Of crawls that are taken up: the listing is read anew, so that what was shared
    is not shared any more."""
    parameters = {"ids": listed(crawl_ids)}
    answered: dict[int, list[str]] = {number: [] for number in crawl_ids}
    chunks = dict.fromkeys(crawl_ids, 0)
    for crawl_id, position, names in connection.execute(_PIECES, parameters):
        answered[crawl_id] += json.loads(names)
        chunks[crawl_id] = max(chunks[crawl_id], position + 1)
    connection.execute(_CLOSE, parameters)
    return {n: Cursor(frozenset(answered[n]), chunks[n]) for n in crawl_ids}


def drop_chunks(connection: Connection, crawl_ids: Collection[int]) -> None:
    """Forget the cursors of crawls that have ended."""
    if crawl_ids:
        connection.execute(_DROP, {"ids": listed(crawl_ids)})


def note_overtaken(
    connection: Connection, crawl_id: int, names: Collection[str]
) -> None:
    """Tags about which the registry was asked again since they were pushed: what
    others of the crawl were told of them before counts no more. The repository's row
    is locked."""
    connection.execute(
        update(crawls)
        .where(crawls.c.id == crawl_id)
        .values(overtaken=json.dumps(sorted(names)))
    )


def read_overtaken(connection: Connection, crawl_id: int) -> set[str]:
    """The same. The repository's row is locked: whoever noted them has committed, or
    finds what we keep."""
    names = connection.execute(
        select(crawls.c.overtaken).where(crawls.c.id == crawl_id)
    ).scalar()
    return set(json.loads(names)) if names else set()
