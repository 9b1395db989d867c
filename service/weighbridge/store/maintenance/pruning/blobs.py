"""Blobs that nothing refers to.

Which ones these are takes a walk over every table that names blobs, for which nobody
is kept waiting. What was kept since then is looked at again, alone, before a few of
them are deleted.
"""

from collections.abc import Callable, Iterator, Sequence, Set
from typing import Final, NamedTuple

from sqlalchemy import (
    Column,
    Connection,
    Select,
    bindparam,
    delete,
    exists,
    func,
    select,
)

from weighbridge.store.alone import alone, find_live
from weighbridge.store.dialect import BulkDelete, among_ids, listed
from weighbridge.store.facts.images import forget_touched, set_mark, touched_since
from weighbridge.store.ledger.blob_expressions import HAS_FACTS
from weighbridge.store.ledger.holders import find_held
from weighbridge.store.models import (
    artifacts,
    blob_changes,
    blob_sizes,
    blobs,
    disputes,
    images,
    index_members,
    layers,
    manifest_sizes,
    repository_blobs,
    repository_manifests,
    scope_blobs,
    tag_moves,
    tags,
)
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
# Who names a blob since then is newer, or its facts came late.
_NAMES: Final = (
    (layers.c.image_id, layers.c.blob_id),
    (images.c.id, images.c.config_id),
    (artifacts.c.id, artifacts.c.config_id),
    (index_members.c.index_id, index_members.c.child_id),
)
_NAMED_SINCE: Final = tuple(
    select(column).where(key > bindparam("newest"), among_ids(column))
    for key, column in _NAMES
)
_NAMED_BY_TOUCHED: Final = tuple(
    select(column).where(among_ids(key, "touched"), among_ids(column))
    for key, column in _NAMES
)
_DELETE: Final = delete(blobs).where(among_ids(blobs.c.id), ~HAS_FACTS)
# As no index leads to a blob's rows, all are read, for which nobody waits.
_LEFT_OVER: Final = tuple(
    (
        select(*table.primary_key.columns).where(~exists().where(blobs.c.id == blob)),
        BulkDelete(table, key=[column.name for column in table.primary_key.columns]),
    )
    for table, blob in (
        (blob_sizes, blob_sizes.c.blob_id),
        (manifest_sizes, manifest_sizes.c.manifest_id),
        (disputes, disputes.c.manifest_id),
    )
)


class _BegunMoment(NamedTuple):
    """The moment at which everything that is under way had ended.

    newest: the last id of that time; what is kept since is newer
    mark:   behind what had been touched, see `images.set_mark`
    """

    newest: int
    mark: int


def prune_blobs(database: Database, is_stopped: Callable[[], bool]) -> int:
    """Delete blobs that nothing refers to; returns how many."""
    begun = _begin(database)
    removed = 0
    for orphans in _walk(database, begun.newest):
        for start in range(0, len(orphans), _PIECE):
            if is_stopped():
                return removed
            piece = orphans[start : start + _PIECE]
            with alone(database) as connection:
                touched = touched_since(connection, begun.mark)
                if touched is None:
                    return removed
                removed += _delete(connection, piece, begun.newest, touched)
        if is_stopped():
            return removed
    _drop_left_over(database)
    with database.write() as connection:
        forget_touched(connection, begun.mark)
    return removed


def _begin(database: Database) -> _BegunMoment:
    with alone(database) as connection:
        newest: int = connection.execute(_NEWEST).scalar() or 0
        return _BegunMoment(newest, set_mark(connection))


def _walk(database: Database, newest: int) -> Iterator[Sequence[int]]:
    """Blobs that nothing refers to, with all that had been kept when we began."""
    for after in range(0, newest, _WINDOW):
        bounds = {"after": after, "last": after + _WINDOW, "newest": newest}
        with database.read() as connection:
            yield sorted(connection.execute(_ORPHANS, bounds).scalars())


def _delete(
    connection: Connection, orphans: Sequence[int], newest: int, touched: Set[int]
) -> int:
    of_touched = listed(sorted(touched))
    parameters = {"ids": listed(orphans), "newest": newest, "touched": of_touched}
    named = find_live(connection, orphans) | find_held(connection, orphans) | touched
    for statement in (*_NAMED_SINCE, *(_NAMED_BY_TOUCHED if touched else ())):
        named.update(connection.execute(statement, parameters).scalars())
    doomed = [blob for blob in orphans if blob not in named]
    return connection.execute(_DELETE, {"ids": listed(doomed)}).rowcount


def _drop_left_over(database: Database) -> None:
    """What registries said of blobs that are no more."""
    for statement, rows in _LEFT_OVER:
        with database.read() as connection:
            keys = [tuple(row) for row in connection.execute(statement)]
        for start in range(0, len(keys), _PIECE):
            with database.write() as connection:
                rows.remove(connection, keys[start : start + _PIECE])
