"""Rows of `tags` and `tag_moves`: read and written in batches, no rules here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, case, null, select, update

from weighbridge.domain.digest import Digest
from weighbridge.store.dialect import (
    ChangedRows,
    NumberedRows,
    PutRows,
    Rows,
    among_ids,
    among_texts,
    listed,
)
from weighbridge.store.models import tag_moves, tags
from weighbridge.store.natural_order import natural_key
from weighbridge.store.types import Moment

_tag = tags.c
_move = tag_moves.c
_READ: Final = Rows(
    select(
        _tag.id,
        _tag.name,
        _tag.target_id,
        _tag.moved_at,
        _tag.pushed_at,
        _tag.gone_at.is_not(None).label("is_gone"),
        _tag.error_code,
        _tag.error_digest,
    ).where(_tag.repository_id == bindparam("repository"), among_texts(_tag.name))
)
_NEW: Final = NumberedRows(
    tags,
    "repository_id",
    "name",
    "natural_key",
    "target_id",
    "first_seen_at",
    "moved_at",
    "pushed_at",
    "error_code",
    "error_message",
    "error_digest",
    "error_at",
    key="name",
)
_ERROR: Final = ("error_code", "error_message", "error_digest", "error_at")
_NO_ERROR: Final = {name: null() for name in _ERROR}
_POINT: Final = ChangedRows(
    tags,
    key=("id",),
    values=("target_id", "moved_at", "pushed_at"),
    also={"gone_at": null(), **_NO_ERROR},
)
_CONFIRM: Final = ChangedRows(tags, key=("id",), values=("pushed_at",), also=_NO_ERROR)
_FAIL: Final = ChangedRows(
    tags,
    key=("id",),
    values=("target_id", "moved_at", *_ERROR),
    also={"gone_at": null()},
)
_NOW: Final = bindparam("moment", type_=Moment())
_LOSE: Final = update(tags).where(among_ids(_tag.id)).values(gone_at=_NOW, **_NO_ERROR)
_CLOSE: Final = (
    update(tag_moves)
    .where(among_ids(_move.tag_id), _move.seen_until.is_(None))
    # Never before its beginning, even where a clock was set back.
    .values(seen_until=case((_move.seen_from > _NOW, _move.seen_from), else_=_NOW))
)
# A second move within the same tick of the clock takes the place of the first.
_OPEN: Final = PutRows(
    tag_moves,
    key=("tag_id", "seen_from"),
    values=("target_id", "seen_until", "pushed_at"),
)


@dataclass(frozen=True, slots=True)
class TagRow:
    """A tag that is stored. `target` None: it was never read."""

    id: int
    name: str
    target: int | None
    moved_at: datetime | None
    pushed_at: datetime | None
    is_gone: bool
    error_code: str | None
    error_digest: Digest | None

    @property
    def live_target(self) -> int | None:
        """What it counts for: nothing once it is gone."""
        return None if self.is_gone else self.target


@dataclass(frozen=True, slots=True)
class Pointing:
    """Where a stored tag is to point now; `moved_at` as it is to be shown."""

    tag: TagRow
    target: int
    moved_at: datetime | None
    pushed_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewTag:
    """A tag to be added: with a target, or with why it could not be read."""

    name: str
    moved_at: datetime | None
    target: int | None = None
    pushed_at: datetime | None = None
    error_code: str | None = None
    error_message: str | None = None
    error_digest: Digest | None = None


@dataclass(frozen=True, slots=True)
class Failing:
    """Why a stored tag could not be read; `target`: what it goes on counting for."""

    tag: TagRow
    target: int | None
    moved_at: datetime | None
    code: str
    message: str
    digest: Digest | None


def read_tags(
    connection: Connection, repository_id: int, names: Iterable[str]
) -> dict[str, TagRow]:
    """The tags of these names that are stored, gone ones too."""
    parameters = {"repository": repository_id, "names": listed(names)}
    found = (TagRow(*row) for row in _READ.read(connection, parameters))
    return {tag.name: tag for tag in found}


def add_tags(
    connection: Connection, repository_id: int, new: Sequence[NewTag], now: datetime
) -> list[int]:
    """Add tags, with the first entry of their history where they have a target.
    Returns their ids."""
    if not new:
        return []
    rows = [
        (
            repository_id,
            tag.name,
            natural_key(tag.name),
            tag.target,
            now,
            tag.moved_at,
            tag.pushed_at,
            tag.error_code,
            tag.error_message,
            tag.error_digest,
            None if tag.error_code is None else now,
        )
        for tag in new
    ]
    ids = _NEW.add(connection, rows)
    _open_moves(
        connection,
        [(ids[t.name], t.target, t.pushed_at) for t in new if t.target is not None],
        now,
    )
    return list(ids.values())


def point_tags(
    connection: Connection, pointings: Sequence[Pointing], now: datetime
) -> None:
    """Move stored tags, close the open entry of their history and begin the next."""
    if not pointings:
        return
    _POINT.set(
        connection, [(p.tag.id, p.target, p.moved_at, p.pushed_at) for p in pointings]
    )
    _close_moves(connection, [pointing.tag for pointing in pointings], now)
    _open_moves(connection, [(p.tag.id, p.target, p.pushed_at) for p in pointings], now)


def confirm_tags(
    connection: Connection, confirmed: Sequence[tuple[TagRow, datetime | None]]
) -> None:
    """Clear the errors of tags that point where they did, and set their push time."""
    _CONFIRM.set(connection, [(tag.id, pushed) for tag, pushed in confirmed])


def lose_tags(connection: Connection, lost: Sequence[TagRow], now: datetime) -> None:
    """Mark tags as gone; their targets and history stay."""
    if lost:
        ids = listed(tag.id for tag in lost)
        connection.execute(_LOSE, {"ids": ids, "moment": now})
        _close_moves(connection, lost, now)


def fail_tags(
    connection: Connection, failing: Sequence[Failing], now: datetime
) -> None:
    """Note why tags could not be read, from now on."""
    _FAIL.set(
        connection,
        [
            (f.tag.id, f.target, f.moved_at, f.code, f.message, f.digest, now)
            for f in failing
        ],
    )


def _close_moves(
    connection: Connection, closed: Sequence[TagRow], now: datetime
) -> None:
    ids = listed(tag.id for tag in closed)
    connection.execute(_CLOSE, {"ids": ids, "moment": now})


def _open_moves(
    connection: Connection,
    opened: Sequence[tuple[int, int | None, datetime | None]],
    now: datetime,
) -> None:
    rows = [(tag, now, target, None, pushed) for tag, target, pushed in opened]
    _OPEN.put(connection, rows)
