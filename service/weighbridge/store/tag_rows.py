"""Rows of `tags` and `tag_moves`: read and written in batches, no rules here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, case, select, update

from weighbridge.domain.digest import Digest
from weighbridge.store.dialect import NewRows, among_texts, insert, listed
from weighbridge.store.models import tag_moves, tags
from weighbridge.store.natural_order import natural_key
from weighbridge.store.types import Moment

_tag = tags.c
_move = tag_moves.c
_NO_ERROR: Final = {
    "error_code": None,
    "error_message": None,
    "error_digest": None,
    "error_at": None,
}
_READ: Final = select(tags).where(
    _tag.repository_id == bindparam("repository"), among_texts(_tag.name)
)
_NEW: Final = NewRows(
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
)
_THIS: Final = _tag.id == bindparam("tag")
_POINT: Final = (
    update(tags)
    .where(_THIS)
    .values(
        target_id=bindparam("target"),
        moved_at=bindparam("moved"),
        pushed_at=bindparam("pushed"),
        gone_at=None,
        **_NO_ERROR,
    )
)
_CONFIRM: Final = (
    update(tags).where(_THIS).values(pushed_at=bindparam("pushed"), **_NO_ERROR)
)
_LOSE: Final = (
    update(tags).where(_THIS).values(gone_at=bindparam("moment"), **_NO_ERROR)
)
_FAIL: Final = (
    update(tags)
    .where(_THIS)
    .values(
        target_id=bindparam("target"),
        moved_at=bindparam("moved"),
        gone_at=None,
        error_code=bindparam("code"),
        error_message=bindparam("message"),
        error_digest=bindparam("digest"),
        error_at=bindparam("moment"),
    )
)
_NOW: Final = bindparam("moment", type_=Moment())
_CLOSE: Final = (
    update(tag_moves)
    .where(_move.tag_id == bindparam("tag"), _move.seen_until.is_(None))
    # Never before its beginning, even where a clock was set back.
    .values(seen_until=case((_move.seen_from > _NOW, _move.seen_from), else_=_NOW))
)
_NEW_MOVE: Final = insert(tag_moves)
# A second move within the same tick of the clock takes the place of the first.
_OPEN: Final = _NEW_MOVE.on_conflict_do_update(
    index_elements=[_move.tag_id, _move.seen_from],
    set_={
        "target_id": _NEW_MOVE.excluded.target_id,
        "seen_until": None,
        "pushed_at": _NEW_MOVE.excluded.pushed_at,
    },
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
    return {
        row.name: TagRow(
            id=row.id,
            name=row.name,
            target=row.target_id,
            moved_at=row.moved_at,
            pushed_at=row.pushed_at,
            is_gone=row.gone_at is not None,
            error_code=row.error_code,
            error_digest=row.error_digest,
        )
        for row in connection.execute(_READ, parameters)
    }


def add_tags(
    connection: Connection, repository_id: int, new: Sequence[NewTag], now: datetime
) -> None:
    """Add tags, with the first entry of their history where they have a target."""
    if not new:
        return
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
    _NEW.add(connection, rows)
    pushed = {tag.name: tag.pushed_at for tag in new if tag.target is not None}
    added = read_tags(connection, repository_id, pushed)
    _open_moves(
        connection,
        [(tag.id, tag.target, pushed[name]) for name, tag in added.items()],
        now,
    )


def point_tags(
    connection: Connection, pointings: Sequence[Pointing], now: datetime
) -> None:
    """Move stored tags, close the open entry of their history and begin the next."""
    if not pointings:
        return
    rows = [
        {
            "tag": pointing.tag.id,
            "target": pointing.target,
            "moved": pointing.moved_at,
            "pushed": pointing.pushed_at,
        }
        for pointing in pointings
    ]
    connection.execute(_POINT, rows)
    _close_moves(connection, [pointing.tag for pointing in pointings], now)
    _open_moves(connection, [(p.tag.id, p.target, p.pushed_at) for p in pointings], now)


def confirm_tags(
    connection: Connection, confirmed: Sequence[tuple[TagRow, datetime | None]]
) -> None:
    """Clear the errors of tags that point where they did, and set their push time."""
    if confirmed:
        connection.execute(
            _CONFIRM, [{"tag": tag.id, "pushed": pushed} for tag, pushed in confirmed]
        )


def lose_tags(connection: Connection, lost: Sequence[TagRow], now: datetime) -> None:
    """Mark tags as gone; their targets and history stay."""
    if lost:
        connection.execute(_LOSE, [{"tag": tag.id, "moment": now} for tag in lost])
        _close_moves(connection, lost, now)


def fail_tags(
    connection: Connection, failing: Sequence[Failing], now: datetime
) -> None:
    """Note why tags could not be read, from now on."""
    rows = [
        {
            "tag": failure.tag.id,
            "target": failure.target,
            "moved": failure.moved_at,
            "code": failure.code,
            "message": failure.message,
            "digest": failure.digest,
            "moment": now,
        }
        for failure in failing
    ]
    if rows:
        connection.execute(_FAIL, rows)


def _close_moves(
    connection: Connection, closed: Sequence[TagRow], now: datetime
) -> None:
    connection.execute(_CLOSE, [{"tag": tag.id, "moment": now} for tag in closed])


def _open_moves(
    connection: Connection,
    opened: Sequence[tuple[int, int | None, datetime | None]],
    now: datetime,
) -> None:
    rows = [
        {"tag_id": tag, "seen_from": now, "target_id": target, "pushed_at": pushed}
        for tag, target, pushed in opened
    ]
    if rows:
        connection.execute(_OPEN, rows)
