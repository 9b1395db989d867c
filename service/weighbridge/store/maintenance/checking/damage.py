"""Facts that are not whole: dropped, so that the next crawl reads them again.

What a document said cannot be counted anew. A manifest of which a part is lost is
marked as one that its index lists and nobody could read; a tag whose target is lost,
as one that was never read. Totals are wrong until every registry has been recounted.
"""

from typing import Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    union,
    update,
)

from weighbridge.store.connection.deadlines import unhurried
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.ledger.expressions import HAS_FACTS
from weighbridge.store.locks import alone
from weighbridge.store.models import (
    artifacts,
    blobs,
    images,
    index_members,
    layers,
    lines,
    repository_manifests,
    tag_moves,
    tags,
)
from weighbridge.store.session import Database

_PIECE: Final = 1_000
_other = blobs.alias("other")


def _is_absent(column: Column[int]) -> ColumnElement[bool]:
    return and_(column.is_not(None), ~exists().where(_other.c.id == column))


def _is(state: str) -> ColumnElement[bool]:
    return blobs.c.facts_state == state


def _without(row: Column[int], state: str) -> Select[int]:
    return select(blobs.c.id).where(_is(state), ~exists().where(row == blobs.c.id))


_layer_count = (
    select(func.count()).where(layers.c.image_id == images.c.id).scalar_subquery()
)
_DAMAGED: Final = union(
    _without(images.c.id, "image"),
    _without(lines.c.image_id, "image"),
    _without(artifacts.c.id, "artifact"),
    select(images.c.id)
    .join(blobs, blobs.c.id == images.c.id)
    .where(_is("image"), images.c.layer_count != _layer_count),
    select(images.c.id).where(_is_absent(images.c.config_id)),
    select(artifacts.c.id).where(_is_absent(artifacts.c.config_id)),
    select(layers.c.image_id).where(_is_absent(layers.c.blob_id)),
    select(index_members.c.index_id).where(_is_absent(index_members.c.child_id)),
)
_ROWS: Final = (
    (layers, layers.c.image_id),
    (lines, lines.c.image_id),
    (images, images.c.id),
    (artifacts, artifacts.c.id),
    (index_members, index_members.c.index_id),
)
# Also what a tag leads to, and nobody says was ever read.
_UNREAD: Final = (
    update(blobs)
    .where(among_ids(blobs.c.id))
    .values(facts_state="missing", facts_code="child_missing")
)
_NEVER_READ: Final = (
    select(blobs.c.id)
    .join(repository_manifests, repository_manifests.c.manifest_id == blobs.c.id)
    .where(~HAS_FACTS, _is("none"), repository_manifests.c.tag_count > 0)
    .distinct()
)


_LOST_TARGETS: Final = (
    update(tags).where(_is_absent(tags.c.target_id)).values(target_id=None)
)
_LOST_HISTORY: Final = delete(tag_moves).where(
    or_(
        _is_absent(tag_moves.c.target_id),
        ~exists().where(tags.c.id == tag_moves.c.tag_id),
    )
)
_LINES_ALONE: Final = delete(lines).where(
    ~exists().where(images.c.id == lines.c.image_id)
)


@unhurried()
def count_damaged(database: Database) -> int:
    """How many documents have lost a part."""
    with database.read() as connection:
        return len(_damaged(connection))


@unhurried()
def drop_damaged(database: Database) -> int:
    """Drop manifests of which a part is lost, and targets that are not there.

    Returns how many documents and tags are to be read again. Raises StoreError.
    """
    with alone(database) as connection:
        return _drop(connection)


def _drop(connection: Connection) -> int:
    unread = _damaged(connection)
    for start in range(0, len(unread), _PIECE):
        piece = {"ids": listed(unread[start : start + _PIECE])}
        for table, key in _ROWS:
            connection.execute(delete(table).where(among_ids(key)), piece)
        connection.execute(_UNREAD, piece)
    for table, key in _ROWS:
        connection.execute(delete(table).where(_is_absent(key)))
    connection.execute(_LINES_ALONE)
    connection.execute(_LOST_HISTORY)
    return len(unread) + connection.execute(_LOST_TARGETS).rowcount


def _damaged(connection: Connection) -> list[int]:
    damaged = connection.execute(_DAMAGED).scalars().all()
    return sorted({*damaged, *connection.execute(_NEVER_READ).scalars()})
