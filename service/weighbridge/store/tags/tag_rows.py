"""Rows of `tags` and `tag_moves`, read and written in batches; and referenced bytes:
what each tag leads to, counted once for each tag.

That sum changes by what tags come to and leave, which costs nothing in a repository of
many thousand tags. Where something else changed (facts that came late, a blob's size),
it is counted from scratch: see `counts.mark_uncounted`.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, and_, bindparam, literal, null, select

from weighbridge.domain.image.digest import Digest
from weighbridge.store.dialect import (
    BulkUpdate,
    BulkUpsert,
    NumberedRows,
    Rows,
    among_ids,
    given_texts,
    listed,
    probe,
)
from weighbridge.store.facts.stored_images import load_graphs
from weighbridge.store.ledger.scopes import LedgerPlace
from weighbridge.store.models import repositories, repository_manifests, tag_moves, tags

_PIECE: Final = 2_000
"""Targets that are in memory at once, with their children."""
_table = repository_manifests.c
_TARGETS = select(_table.repository_id, _table.manifest_id, _table.tag_count).where(
    _table.tag_count > 0
)
_OF_SOME: Final = Rows(
    _TARGETS.where(among_ids(_table.repository_id)).limit(literal(_PIECE))
)
_OF_ONE: Final = Rows(
    _TARGETS.where(
        _table.repository_id == bindparam("repository"),
        _table.manifest_id > bindparam("after"),
    )
    .order_by(_table.manifest_id)
    .limit(literal(_PIECE))
)


def referenced_deltas(
    connection: Connection, tag_deltas: Mapping[LedgerPlace, Mapping[int, int]]
) -> dict[LedgerPlace, int]:
    """By how many bytes the sum of each repository grows when this many more (or
    fewer) tags lead to these targets.

    After `liveness.shift`: what these lead to then stays as it is until we commit.
    """
    return _sums(
        connection,
        {
            place: {target: delta for target, delta in deltas.items() if delta}
            for place, deltas in tag_deltas.items()
        },
    )


def count_referenced(
    connection: Connection, scopes: Mapping[int, int]
) -> dict[int, int]:
    """The sums of repositories, counted from what their tags lead to.

    scopes: the storage scope of each repository
    """
    sums = dict.fromkeys(scopes, 0)
    for rows in _pieces(connection, scopes):
        counts: dict[LedgerPlace, dict[int, int]] = {}
        for number, target, count in rows:
            counts.setdefault(LedgerPlace(number, scopes[number]), {})[target] = count
        for place, size in _sums(connection, counts).items():
            sums[place.repository_id] += size
    return sums


def _pieces(
    connection: Connection, repository_ids: Collection[int]
) -> Iterator[Sequence[tuple[int, int, int]]]:
    """Repositories with their targets, and how many tags lead to each."""
    if not repository_ids:
        return
    some = _OF_SOME.read(connection, {"ids": listed(sorted(repository_ids))})
    if len(some) < _PIECE:
        yield some
        return
    for number in repository_ids:
        after, is_whole = 0, False
        while not is_whole:
            rows = _OF_ONE.read(connection, {"repository": number, "after": after})
            is_whole = len(rows) < _PIECE
            if rows:
                after = rows[-1][1]
                yield rows


def _sums(
    connection: Connection, counts: Mapping[LedgerPlace, Mapping[int, int]]
) -> dict[LedgerPlace, int]:
    sums = dict.fromkeys(counts, 0)
    leading = sorted((place, target) for place in counts for target in counts[place])
    for start in range(0, len(leading), _PIECE):
        piece = leading[start : start + _PIECE]
        targets: dict[int, set[int]] = {}
        for place, target in piece:
            targets.setdefault(place.scope_id, set()).add(target)
        graphs = load_graphs(connection, targets)
        for place, target in piece:
            size = graphs[place.scope_id].stored_bytes_of(target)
            sums[place] += counts[place][target] * size
    return sums


_NUMBER: Final = re.compile(r"[0-9]+")


def natural_key(name: str) -> str:
    """The name with each number written as its count of digits and its digits.

    Plain text order of the keys is natural order of the names. Leading zeros do not
    count, so `01` and `1` share a key; sort by the name after it.
    """
    return _NUMBER.sub(_sortable, name)


def _sortable(match: re.Match[str]) -> str:
    digits = match[0].lstrip("0")
    # Three digits of length are enough: a tag has at most 128 characters.
    return f"{len(digits):03}{digits}"


_tag = tags.c
_move = tag_moves.c
# By the key from its end, where the open entry is: a history may be long.
_OPEN_FROM: Final = (
    select(_move.seen_from)
    .where(_move.tag_id == _tag.id, _move.seen_until.is_(None))
    .order_by(_move.seen_from.desc())
    .limit(1)
    .scalar_subquery()
)
_named = given_texts("repository_id", "name")
_READ: Final = Rows(
    select(
        _tag.repository_id,
        _tag.id,
        _tag.name,
        _tag.target_id,
        _tag.moved_at,
        _tag.pushed_at,
        _tag.deleted_at.is_not(None).label("is_gone"),
        _tag.error_code,
        _tag.error_digest,
        _OPEN_FROM.label("open_from"),
    ).select_from(
        probe(
            _named,
            tags,
            and_(
                _tag.repository_id == _named.c.repository_id,
                _tag.name == _named.c.name,
            ),
        )
    )
)
_any = tags.alias("any_tag")
_WITH_TAGS: Final = select(repositories.c.id).where(
    among_ids(repositories.c.id),
    select(_any.c.id)
    .where(_any.c.repository_id == repositories.c.id)
    .limit(1)
    .scalar_subquery()
    .is_not(None),
)
_ERROR: Final = ("error_code", "error_message", "error_digest", "error_at")
_NEW: Final = NumberedRows(
    tags,
    "repository_id",
    "name",
    "natural_key",
    "target_id",
    "first_seen_at",
    "moved_at",
    "pushed_at",
    *_ERROR,
    key=("repository_id", "name"),
)
_NO_ERROR: Final = {name: null() for name in _ERROR}
_POINT: Final = BulkUpdate(
    tags,
    key=("id",),
    values=("target_id", "moved_at", "pushed_at"),
    also={"deleted_at": null(), **_NO_ERROR},
)
_CONFIRM: Final = BulkUpdate(tags, key=("id",), values=("pushed_at",), also=_NO_ERROR)
_FAIL: Final = BulkUpdate(
    tags,
    key=("id",),
    values=("target_id", "moved_at", *_ERROR),
    also={"deleted_at": null()},
)
_LOSE: Final = BulkUpdate(tags, key=("id",), values=("deleted_at",), also=_NO_ERROR)
_CLOSE: Final = BulkUpdate(
    tag_moves, key=("tag_id", "seen_from"), values=("seen_until",)
)
# A second move within the same tick of the clock takes the place of the first.
_OPEN: Final = BulkUpsert(
    tag_moves,
    key=("tag_id", "seen_from"),
    values=("target_id", "seen_until", "pushed_at"),
)


class StoredTag(Struct, frozen=True):
    """A tag that is stored.

    target:    None: it was never read
    open_from: when the entry of its history began that has no end, if there is one
    """

    id: int
    name: str
    target: int | None
    moved_at: datetime | None
    pushed_at: datetime | None
    is_deleted: bool
    error_code: str | None
    error_digest: Digest | None
    open_from: datetime | None

    @property
    def live_target(self) -> int | None:
        """What it counts for: nothing once it is gone."""
        return None if self.is_deleted else self.target


class TagFailure(Struct, frozen=True):
    """A tag is there but could not be read; `digest`: what it points to, if known."""

    name: str
    code: str
    message: str
    digest: Digest | None


class TagPointing(Struct, frozen=True):
    """Where a stored tag is to point from now on; `moved_at` as it is to be shown."""

    tag: StoredTag
    now: datetime
    target: int
    moved_at: datetime | None
    pushed_at: datetime | None


class NewTag(Struct, frozen=True):
    """A tag to be added: with a target, or with why it could not be read."""

    repository_id: int
    name: str
    now: datetime
    moved_at: datetime | None
    target: int | None = None
    pushed_at: datetime | None = None
    failure: TagFailure | None = None

    @property
    def key(self) -> tuple[int, str]:
        """What tells it apart."""
        return self.repository_id, self.name


class Failing(Struct, frozen=True):
    """Why a stored tag could not be read; `target`: what it goes on counting for."""

    tag: StoredTag
    now: datetime
    target: int | None
    moved_at: datetime | None
    failure: TagFailure


def read_tags(
    connection: Connection, names: Mapping[int, Collection[str]]
) -> dict[int, dict[str, StoredTag]]:
    """The tags of these names that are stored in these repositories, gone ones too."""
    found: dict[int, dict[str, StoredTag]] = {repository: {} for repository in names}
    if any(names.values()):
        for repository, *row in _READ.read(connection, {"keys": names}):
            tag = StoredTag(*row)
            found[repository][tag.name] = tag
    return found


def with_tags(connection: Connection, repository_ids: Collection[int]) -> set[int]:
    """Those of the repositories that have a tag, or had one."""
    parameters = {"ids": listed(sorted(repository_ids))}
    return set(connection.execute(_WITH_TAGS, parameters).scalars())


def add_tags(
    connection: Connection, new: Sequence[NewTag]
) -> dict[tuple[int, str], int]:
    """Add tags, with the first entry of their history where they have a target.
    Returns their ids by repository and name."""
    if not new:
        return {}
    rows = [
        (
            *tag.key,
            natural_key(tag.name),
            tag.target,
            tag.now,
            tag.moved_at,
            tag.pushed_at,
            *_error(tag.failure, tag.now),
        )
        for tag in new
    ]
    ids: dict[tuple[int, str], int] = _NEW.add(connection, rows)
    _OPEN.add(
        connection,
        [
            (ids[tag.key], tag.now, tag.target, None, tag.pushed_at)
            for tag in new
            if tag.target is not None
        ],
    )
    return ids


def point_tags(connection: Connection, pointings: Sequence[TagPointing]) -> None:
    """Move stored tags, close the open entry of their history and begin the next."""
    _POINT.set(
        connection, [(p.tag.id, p.target, p.moved_at, p.pushed_at) for p in pointings]
    )
    _close_moves(connection, ((p.tag, p.now) for p in pointings))
    _OPEN.add(
        connection, [(p.tag.id, p.now, p.target, None, p.pushed_at) for p in pointings]
    )


def confirm_tags(
    connection: Connection, confirmed: Sequence[tuple[StoredTag, datetime | None]]
) -> None:
    """Clear the errors of tags that point where they did, and set their push time."""
    _CONFIRM.set(connection, [(tag.id, pushed) for tag, pushed in confirmed])


def lose_tags(
    connection: Connection, lost: Sequence[tuple[StoredTag, datetime]]
) -> None:
    """Mark tags as gone; their targets and history stay."""
    _LOSE.set(connection, [(tag.id, now) for tag, now in lost])
    _close_moves(connection, lost)


def fail_tags(connection: Connection, failing: Sequence[Failing]) -> None:
    """Note why tags could not be read, from now on."""
    _FAIL.set(
        connection,
        [(f.tag.id, f.target, f.moved_at, *_error(f.failure, f.now)) for f in failing],
    )


def _error(failure: TagFailure | None, now: datetime) -> tuple[object, ...]:
    """Values of `_ERROR`."""
    if failure is None:
        return (None,) * len(_ERROR)
    return failure.code, failure.message, failure.digest, now


def _close_moves(
    connection: Connection, closed: Iterable[tuple[StoredTag, datetime]]
) -> None:
    _CLOSE.set(
        connection,
        [
            # Never before its beginning, even where a clock was set back.
            (tag.id, tag.open_from, max(tag.open_from, now))
            for tag, now in closed
            if tag.open_from is not None
        ],
    )
