"""The moves of one tag, or of all tags of a repository, before a time: no more than are
looked at at once, and how far back these tell all.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    type_coerce,
)

from weighbridge.domain.growth.tag_history import TOGETHER, TagMove
from weighbridge.domain.image.digest import Digest
from weighbridge.store.dialect import Rows, among_ids, listed, probe
from weighbridge.store.models import blobs, images, index_members, tag_moves, tags
from weighbridge.store.models.types import Moment, microseconds
from weighbridge.store.named_rows import find_place

TAGS: Final = 2_000
"""Tags of a repository whose moves are read at once, those that moved last; and as many
of those that moved again since the time before which history is asked for."""
MOVES: Final = 4_000
"""Moves that are read at once, as many of each tag."""
LEAST_MOVES: Final = 4
"""Of a tag, however many tags there are."""
END_OF_TIME: Final = datetime(9999, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)

_tag = tags.c
_move = tag_moves.c
_BEFORE: Final = bindparam("before", type_=Moment())
_touched = func.coalesce(_tag.moved_at, _tag.first_seen_at)
_READ: Final[tuple[ColumnElement[Any], ...]] = (
    _tag.id,
    _tag.name,
    _tag.first_seen_at,
    _tag.moved_at,
    _tag.pushed_at,
    _touched.label("touched_at"),
    _tag.target_id,
    _tag.deleted_at,
)
_OF_REPOSITORY: Final = _tag.repository_id == bindparam("repository")
_TOUCHED_BEFORE: Final = (
    select(*_READ)
    .where(_OF_REPOSITORY, _touched < _BEFORE)
    # As `ix_tags_moved_last` has them.
    .order_by(
        _touched.desc(),
        func.coalesce(_tag.pushed_at, literal_column("-1")).desc(),
        _tag.natural_key.desc(),
    )
    .limit(TAGS + 1)
)
_TOUCHED_SINCE: Final = (
    select(*_READ)
    .where(_OF_REPOSITORY, _touched >= _BEFORE, _tag.first_seen_at < _BEFORE)
    .order_by(_tag.first_seen_at, _tag.natural_key)
    .limit(TAGS)
)
_ONE: Final = select(*_READ).where(_OF_REPOSITORY, _tag.name == bindparam("name"))
_MOVES_OF_ONE: Final = (
    select(_move.target_id, _move.seen_from, _move.seen_until, _move.pushed_at)
    .where(_move.tag_id == bindparam("tag"), _move.seen_from < _BEFORE)
    .order_by(_move.seen_from.desc())
    .limit(bindparam("most"))
)
# Where the latest so many moves of a tag begin: two probes of the key for each tag,
# however long its history is.
_later = tag_moves.alias("later")
_begin = (
    select(_later.c.seen_from)
    .where(_later.c.tag_id == _tag.id, _later.c.seen_from < _BEFORE)
    .order_by(_later.c.seen_from.desc())
    .limit(1)
    .offset(bindparam("most") - 1)
    .scalar_subquery()
)
_MOVES_OF_MANY: Final = Rows(
    select(
        _tag.id,
        _move.target_id,
        _move.seen_from,
        _move.seen_until,
        _move.pushed_at,
    )
    .select_from(
        probe(
            tags,
            tag_moves,
            and_(
                _move.tag_id == _tag.id,
                _move.seen_from < _BEFORE,
                _move.seen_from >= func.coalesce(_begin, literal_column("0")),
            ),
        )
    )
    .where(among_ids(_tag.id))
)
# Each span of time begins where the one before it ends, and is as long as tags have to
# come together: those beside it are asked for too.
_SPAN: Final = TOGETHER // timedelta(microseconds=1)
_span = type_coerce(_move.seen_from, BigInteger).op("/")(literal_column(str(_SPAN)))
_TO_THESE: Final = Rows(
    select(
        _move.tag_id,
        _move.target_id,
        _move.seen_from,
        _move.seen_until,
        _move.pushed_at,
    ).where(
        among_ids(_move.tag_id),
        among_ids(_move.target_id, "targets"),
        among_ids(_span, "spans"),
    )
)
# Also those that were pruned: their rows stay, with size and platform.
_LEADING: Final = Rows(
    select(blobs.c.id).where(
        among_ids(blobs.c.id),
        or_(
            select(images.c.id)
            .where(images.c.id == blobs.c.id)
            .scalar_subquery()
            .is_not(None),
            select(index_members.c.index_id)
            .where(
                index_members.c.index_id == blobs.c.id, index_members.c.role == "image"
            )
            .limit(1)
            .scalar_subquery()
            .is_not(None),
        ),
    )
)


class MovedTag(NamedTuple):
    """A tag; `touched_at`: when it came to what it leads to now, or led to last."""

    id: int
    name: str
    first_seen_at: datetime
    moved_at: datetime | None
    pushed_at: datetime | None
    touched_at: datetime
    target_id: int | None
    deleted_at: datetime | None

    @property
    def has_moved(self) -> bool:
        """Whether its history has more than what it leads to now, or led to last."""
        is_first = self.moved_at is None or self.moved_at == self.first_seen_at
        return self.target_id is None or not is_first


class RepositoryMoves(NamedTuple):
    """What the tags of a repository led to, as far as it is read.

    since:   after it nothing is left out; None: nothing is at all
    is_part: of what the first crawl found at once there is more than is read
    before:  moves that were seen later are not there
    """

    moves: Sequence[TagMove]
    since: datetime | None
    is_part: bool
    before: datetime


def find_moved_tag(
    connection: Connection, repository_id: int, name: str
) -> MovedTag | None:
    """One tag, also one that is gone."""
    parameters = {"repository": repository_id, "name": name}
    row = connection.execute(_ONE, parameters).one_or_none()
    return None if row is None else MovedTag._make(row)


def moves_of_tag(
    connection: Connection,
    repository_id: int,
    tag: MovedTag,
    before: datetime,
    most: int,
) -> tuple[list[TagMove], list[TagMove]]:
    """The latest moves of a tag before a time, oldest first, and beside them the moves
    of other tags of its repository, those that moved last, to the same targets."""
    rows = connection.execute(
        _MOVES_OF_ONE, {"tag": tag.id, "before": before, "most": most}
    ).all()
    others = _latest_tags(connection, repository_id, END_OF_TIME)[:TAGS]
    first_until = _first_until([tag, *others])
    own = [_moved(tag, first_until, *row) for row in rows]
    by_id = {each.id: each for each in others if each.id != tag.id}
    spans = {microseconds(move.seen_at) // _SPAN for move in own}
    parameters = {
        "ids": listed(by_id),
        "targets": listed({move.target for move in own}),
        "spans": listed({span + n for span in spans for n in (-1, 0, 1)}),
    }
    found = _TO_THESE.read(connection, parameters) if own and by_id else ()
    beside = [_moved(by_id[number], first_until, *row) for number, *row in found]
    return own[::-1], beside


def moves_of_repository(
    connection: Connection,
    repository_id: int,
    before: datetime | None,
    newest_tag: str | None = None,
) -> RepositoryMoves:
    """What tags led to that lead to images, as far as it was seen before a time.

    newest_tag: the tag of the newest image now, whose moves are never left out
    """
    bound = before or END_OF_TIME
    found = _latest_tags(connection, repository_id, bound)
    left_out, latest = found[TAGS:], found[:TAGS]
    if before is not None:
        parameters = {"repository": repository_id, "before": bound}
        rows = connection.execute(_TOUCHED_SINCE, parameters)
        latest = [*map(MovedTag._make, rows), *latest]
    elif newest_tag is not None and newest_tag not in {tag.name for tag in latest}:
        newest = find_moved_tag(connection, repository_id, newest_tag)
        latest += [] if newest is None else [newest]
    first_until = _first_until([*latest, *left_out])
    by_id = {tag.id: tag for tag in latest if tag.has_moved}
    most = max(MOVES // max(len(by_id), 1), LEAST_MOVES)
    rows_of_moves = _MOVES_OF_MANY.read(
        connection, {"ids": listed(by_id), "before": bound, "most": most}
    )
    counts = Counter(number for number, *_ in rows_of_moves)
    oldest: dict[int, datetime] = {}
    for number, _, seen, *_ in rows_of_moves:
        oldest[number] = min(seen, oldest.get(number, seen))
    cut = {oldest[number] for number, count in counts.items() if count == most}
    # Of what came at once with the first that is left out, more may be missing.
    is_part = bool(left_out) and _is_first(left_out[0].touched_at, first_until)
    if left_out and not is_part:
        cut.add(left_out[0].touched_at)
    moves = [
        _moved(by_id[number], first_until, target, *times)
        for number, target, *times in rows_of_moves
    ]
    moves += [
        _moved(tag, first_until, tag.target_id, tag.touched_at, tag.deleted_at, None)
        for tag in latest
        if tag.target_id is not None and not tag.has_moved
    ]
    leading = _leading(connection, {move.target for move in moves})
    moves = [move for move in moves if move.target in leading]
    first = [move.seen_at for move in moves if move.is_first]
    return RepositoryMoves(
        moves,
        max(cut, default=None),
        is_part,
        before or max(first, default=END_OF_TIME - _TICK) + _TICK,
    )


def _latest_tags(
    connection: Connection, repository_id: int, before: datetime
) -> list[MovedTag]:
    """At most one more than `TAGS`."""
    parameters = {"repository": repository_id, "before": before}
    return [*map(MovedTag._make, connection.execute(_TOUCHED_BEFORE, parameters))]


def _first_until(found: Collection[MovedTag]) -> datetime | None:
    """Until when the first crawl lasted, as far as tags tell that it found and that
    have not moved since; where all have, when it began."""
    unmoved = [tag.first_seen_at for tag in found if tag.moved_at is None]
    if unmoved:
        return max(unmoved)
    return min((tag.first_seen_at for tag in found), default=None)


def _is_first(seen_at: datetime, first_until: datetime | None) -> bool:
    return first_until is not None and seen_at <= first_until


def _moved(
    tag: MovedTag,
    first_until: datetime | None,
    target: int,
    seen_from: datetime,
    seen_until: datetime | None,
    pushed_at: datetime | None,
) -> TagMove:
    # Of where it leads now, a registry may have told when only later.
    is_open = seen_until is None or not tag.has_moved
    return TagMove(
        tag=tag.name,
        target=target,
        seen_at=seen_from,
        until=seen_until,
        pushed_at=(tag.pushed_at if is_open else None) or pushed_at,
        is_first=_is_first(seen_from, first_until),
    )


def _leading(connection: Connection, targets: Collection[int]) -> set[int]:
    """Those of the targets that lead to images, or did before they were pruned."""
    rows = _LEADING.read(connection, {"ids": listed(sorted(targets))})
    return {number for (number,) in rows}


def target_before(
    connection: Connection, registry: str, repository: str, tag: str
) -> Digest | None:
    """What the tag led to before what it leads to now, None where it never moved."""
    place = find_place(connection, registry, repository)
    if place is None:
        return None
    return connection.execute(
        select(blobs.c.digest)
        .select_from(tag_moves)
        .join(tags, _tag.id == _move.tag_id)
        .join(blobs, blobs.c.id == _move.target_id)
        .where(
            _tag.repository_id == place.id,
            _tag.name == tag,
            _move.target_id != _tag.target_id,
        )
        .order_by(_move.seen_from.desc())
        .limit(1)
    ).scalar()
