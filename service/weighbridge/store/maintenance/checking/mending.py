"""Histories of tags that do not end where the tag points, put right.

What a tag points to is what was seen last, so it is believed, and its history is
closed or begun to agree with it.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import (
    BindParameter,
    Connection,
    bindparam,
    case,
    exists,
    insert,
    or_,
    select,
    update,
)

from weighbridge.store.models import repositories, tag_moves, tags
from weighbridge.store.models.types import Moment

_move = tag_moves.c
_later = tag_moves.alias("later")
_NOW: Final[BindParameter[datetime]] = bindparam("moment", type_=Moment())
_REGISTRY: Final[BindParameter[int]] = bindparam("registry")
_OF_REGISTRY: Final = (
    select(tags.c.id)
    .join(repositories, repositories.c.id == tags.c.repository_id)
    .where(repositories.c.registry_id == _REGISTRY)
)
_BACKWARDS: Final = (
    update(tag_moves)
    .where(_move.tag_id.in_(_OF_REGISTRY), _move.seen_until < _move.seen_from)
    .values(seen_until=_move.seen_from)
)
_CLOSE: Final = (
    update(tag_moves)
    .where(
        _move.tag_id.in_(_OF_REGISTRY),
        _move.seen_until.is_(None),
        or_(
            ~exists().where(
                tags.c.id == _move.tag_id,
                tags.c.deleted_at.is_(None),
                tags.c.target_id == _move.target_id,
            ),
            # Of two that are open the later one is.
            exists().where(
                _later.c.tag_id == _move.tag_id,
                _later.c.seen_from > _move.seen_from,
                _later.c.target_id == _move.target_id,
                _later.c.seen_until.is_(None),
            ),
        ),
    )
    .values(seen_until=case((_move.seen_from > _NOW, _move.seen_from), else_=_NOW))
)
_OPEN: Final = insert(tag_moves).from_select(
    ["tag_id", "seen_from", "target_id", "pushed_at"],
    select(tags.c.id, _NOW, tags.c.target_id, tags.c.pushed_at)
    .join(repositories, repositories.c.id == tags.c.repository_id)
    .where(
        repositories.c.registry_id == _REGISTRY,
        tags.c.deleted_at.is_(None),
        tags.c.target_id.is_not(None),
        ~exists().where(_move.tag_id == tags.c.id, _move.seen_until.is_(None)),
    ),
)


def mend_moves(connection: Connection, registry_id: int, now: datetime) -> None:
    """Close open entries of a registry's tags that are not true, open what lacks."""
    parameters = {"registry": registry_id, "moment": now}
    connection.execute(_BACKWARDS, {"registry": registry_id})
    connection.execute(_CLOSE, parameters)
    connection.execute(_OPEN, parameters)
