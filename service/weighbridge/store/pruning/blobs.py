"""Blobs that nothing refers to.

Which ones these are takes a walk over every table that names blobs, for which nobody
is kept waiting. What was kept since then is looked at again, alone, before a few of
them are deleted.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Column, Connection, Select, bindparam, delete, func, select

from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.facts import HAS_FACTS
from weighbridge.store.models import (
    artifacts,
    blob_changes,
    blobs,
    images,
    index_members,
    layers,
    repository_blobs,
    repository_manifests,
    scope_blobs,
    tag_moves,
    tags,
)
from weighbridge.store.pruning.alone import alone, find_held, find_live
from weighbridge.store.session import Database

_WINDOW: Final = 1_000_000
"""Ids that are looked at together."""
_PIECE: Final = 2_000

_REFERENCES: Final = (
    layers.c.blob_id,
    layers.c.image_id,
    images.c.id,
    images.c.config_id,
    artifacts.c.id,
    artifacts.c.config_id,
    index_members.c.index_id,
    index_members.c.child_id,
    tags.c.target_id,
    tag_moves.c.target_id,
    repository_manifests.c.manifest_id,
    repository_blobs.c.blob_id,
    scope_blobs.c.blob_id,
    blob_changes.c.blob_id,
)


def _within(column: Column[int]) -> Select[int]:
    return select(column).where(
        column > bindparam("after"), column <= bindparam("last")
    )


# Never the newest row: SQLite would give its id to another blob.
_ORPHANS: Final = (
    _within(blobs.c.id)
    .where(~HAS_FACTS, blobs.c.id < bindparam("newest"))
    .except_(*map(_within, _REFERENCES))
)
_NEWEST: Final = select(func.max(blobs.c.id))
# Facts are kept with new ids, or else they change these sums.
_SUMS: Final = tuple(
    select(func.count(), func.coalesce(func.sum(column), 0)).where(
        column <= bindparam("newest")
    )
    for column in (images.c.id, artifacts.c.id, index_members.c.index_id)
)


def _since(key: Column[int], column: Column[int]) -> Select[int]:
    return select(column).where(key > bindparam("newest"), among_ids(column))


_NAMED_SINCE: Final = (
    _since(layers.c.image_id, layers.c.blob_id),
    _since(images.c.id, images.c.config_id),
    _since(artifacts.c.id, artifacts.c.config_id),
    _since(index_members.c.index_id, index_members.c.child_id),
)
_DELETE: Final = delete(blobs).where(among_ids(blobs.c.id), ~HAS_FACTS)


class _Seen(NamedTuple):
    """Blobs that nothing referred to, and the facts of that moment.

    newest: the last id of that time; everything that was kept since is newer, but
        what changes `facts`
    """

    orphans: Sequence[int]
    newest: int
    facts: Sequence[tuple[int, int]]


def prune_blobs(database: Database, is_stopped: Callable[[], bool]) -> int:
    """Delete blobs that nothing refers to; returns how many."""
    removed = 0
    for seen in _walk(database):
        for start in range(0, len(seen.orphans), _PIECE):
            if is_stopped():
                return removed
            with alone(database) as connection:
                # Facts came to a blob that was known: another day, another walk.
                if _facts(connection, seen.newest) != seen.facts:
                    return removed
                piece = seen.orphans[start : start + _PIECE]
                removed += _delete(connection, piece, seen.newest)
        if is_stopped():
            break
    return removed


def _walk(database: Database) -> Iterator[_Seen]:
    # Whatever is under way now is seen by the walk, and what comes later is newer.
    with alone(database) as connection:
        newest: int = connection.execute(_NEWEST).scalar() or 0
    for after in range(0, newest, _WINDOW):
        bounds = {"after": after, "last": after + _WINDOW, "newest": newest}
        with database.read() as connection:
            orphans = sorted(connection.execute(_ORPHANS, bounds).scalars())
            facts = _facts(connection, newest)
        yield _Seen(orphans, newest, facts)


def _facts(connection: Connection, newest: int) -> list[tuple[int, int]]:
    rows = (connection.execute(sums, {"newest": newest}).one() for sums in _SUMS)
    return [(row[0], int(row[1])) for row in rows]


def _delete(connection: Connection, orphans: Sequence[int], newest: int) -> int:
    parameters = {"ids": listed(orphans), "newest": newest}
    named = find_live(connection, orphans) | find_held(connection, orphans)
    for statement in _NAMED_SINCE:
        named.update(connection.execute(statement, parameters).scalars())
    doomed = [blob for blob in orphans if blob not in named]
    return connection.execute(_DELETE, {"ids": listed(doomed)}).rowcount
