"""The tags of repositories, the latest first, and what they have pointed to, one thing
after the other.

A stream has no row of its own: it is found again in the names of a repository's tags
and in their moves. Whatever is read is bounded, however many tags there are.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import Connection, Select, bindparam, func, select

from weighbridge.domain.growth.newest import stream_of
from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.models import tag_moves, tags

MOST: Final = 2_000
"""The tags of a repository, the latest first, that are gone through."""
_PART: Final = 100
"""Tags that are gone through at once."""
_TOGETHER: Final = 10_000
"""Tags of several repositories that are read at once; where there are more, each
repository is read by itself."""

_tag = tags.c
_OF_REPOSITORY: Final = (
    _tag.repository_id == bindparam("repository"),
    _tag.target_id.is_not(None),
)
_READ: Final = (_tag.id, _tag.name, _tag.target_id, _tag.moved_at, _tag.pushed_at)
_LATEST: Final = (
    select(*_READ)
    .where(*_OF_REPOSITORY)
    .order_by(
        func.coalesce(_tag.pushed_at, _tag.moved_at, _tag.first_seen_at).desc(),
        _tag.natural_key.desc(),
    )
    .limit(MOST)
)
_NEWEST: Final = (
    select(*_READ)
    .where(*_OF_REPOSITORY, _tag.deleted_at.is_(None))
    .order_by(
        func.coalesce(_tag.pushed_at, _tag.moved_at).desc().nulls_last(),
        _tag.natural_key.desc(),
    )
    .limit(MOST)
)
_OF_MANY: Final = Rows(
    select(
        _tag.repository_id,
        _tag.first_seen_at,
        _tag.natural_key,
        _tag.deleted_at.is_not(None).label("is_gone"),
        *_READ,
    )
    .where(among_ids(_tag.repository_id), _tag.target_id.is_not(None))
    .limit(_TOGETHER)
)
_BEFORE_ALL: Final = datetime.min.replace(tzinfo=UTC)


class Pointed(NamedTuple):
    """A tag pointed there, from a moment on; None: from before our first crawl."""

    tag: str
    target: int
    since: datetime | None


class StreamTag(NamedTuple):
    """A tag, as it is now or as it was when it went."""

    id: int
    name: str
    target: int
    moved_at: datetime | None
    pushed_at: datetime | None

    @property
    def pointed(self) -> Pointed:
        """What it points to now."""
        return Pointed(self.name, self.target, self.since)

    @property
    def since(self) -> datetime | None:
        """From when on."""
        return self.pushed_at or self.moved_at


class _SortedTag(NamedTuple):
    """A tag with what it is sorted by."""

    tag: StreamTag
    first_seen_at: datetime
    natural_key: str
    is_deleted: bool

    @property
    def latest(self) -> tuple[datetime, str]:
        return self.tag.since or self.first_seen_at, self.natural_key

    @property
    def newest(self) -> tuple[datetime, str]:
        return self.tag.since or _BEFORE_ALL, self.natural_key


_Parts: TypeAlias = Iterator[Sequence[StreamTag]]


class LatestTags:
    """Of each repository at most `MOST`, in parts.

    few: repositories that have few live tags: theirs are read together, once one of
         them is asked for
    """

    def __init__(self, connection: Connection, few: Collection[int] = ()) -> None:
        self._connection = connection
        self._few = few if len(few) > 1 else ()
        self._known: dict[int, list[_SortedTag]] | None = None

    def latest(self, repository_id: int) -> _Parts:
        """All, those that are gone too."""
        known = self._of(repository_id)
        if known is None:
            return self._stream(_LATEST, repository_id)
        return _sorted(known, key=lambda each: each.latest)

    def newest(self, repository_id: int) -> _Parts:
        """Those that are live; last those that were there before our first crawl."""
        known = self._of(repository_id)
        if known is None:
            return self._stream(_NEWEST, repository_id)
        live = [each for each in known if not each.is_deleted]
        return _sorted(live, key=lambda each: each.newest)

    def _of(self, repository_id: int) -> Sequence[_SortedTag] | None:
        """None: it is read by itself."""
        if repository_id not in self._few:
            return None
        if self._known is None:
            ids = listed(sorted(self._few))
            rows = _OF_MANY.read(self._connection, {"ids": ids})
            if len(rows) == _TOGETHER:
                self._few = ()
                return None
            self._known = defaultdict(list)
            for number, first_seen_at, key, deleted, *tag in rows:
                known = _SortedTag(
                    StreamTag._make(tag), first_seen_at, key, bool(deleted)
                )
                self._known[number].append(known)
        return self._known[repository_id]

    def _stream(
        self, statement: Select[*tuple[Any, ...]], repository_id: int
    ) -> _Parts:
        rows = self._connection.execute(statement, {"repository": repository_id})
        try:
            for part in rows.partitions(_PART):
                yield [StreamTag._make(row) for row in part]
        finally:
            rows.close()


def _sorted(
    known: Sequence[_SortedTag], key: Callable[[_SortedTag], tuple[datetime, str]]
) -> _Parts:
    ordered = sorted(known, key=key, reverse=True)[:MOST]
    for start in range(0, len(ordered), _PART):
        yield [each.tag for each in ordered[start : start + _PART]]


TARGETS: Final = 16
"""Different things that a tag, or a stream, has pointed to: more than the ten images
that a baseline is made of, since some may weigh nothing that could be compared."""

_move = tag_moves.c
_numbered = (
    select(
        _move.tag_id,
        _move.target_id,
        _move.seen_from,
        _move.pushed_at,
        func.row_number()
        .over(partition_by=_move.tag_id, order_by=_move.seen_from.desc())
        .label("place"),
    )
    .where(among_ids(_move.tag_id))
    .subquery()
)
_EARLIER: Final = Rows(
    select(
        _numbered.c.tag_id,
        _numbered.c.target_id,
        _numbered.c.seen_from,
        _numbered.c.pushed_at,
    ).where(_numbered.c.place > 1, _numbered.c.place <= TARGETS)
)

JudgedStreams: TypeAlias = Mapping[str, Collection[StreamTag]]
"""Tags of each stream that are part of it in any case."""


def earlier_targets(
    connection: Connection, some: Collection[StreamTag]
) -> dict[int, list[Pointed]]:
    """What each of these tags pointed to before, by its id; in no order, and nothing
    of tags that have always pointed to what they do now."""
    found: dict[int, list[Pointed]] = {}
    if not some:
        return found
    now = {tag.id: tag for tag in some}
    rows = _EARLIER.read(connection, {"ids": listed(sorted(now))})
    for tag, target, since, pushed_at in rows:
        if target != now[tag].target:
            pointed = Pointed(now[tag].name, target, pushed_at or since)
            found.setdefault(tag, []).append(pointed)
    return found


def read_streams(
    connection: Connection, latest: LatestTags, judged: Mapping[int, JudgedStreams]
) -> dict[int, dict[str, list[Pointed]]]:
    """What the tags of each repository whose names differ in numbers only have pointed
    to, by `stream_of` their names; in no order."""
    found = {
        number: _latest_tags(latest, number, streams)
        for number, streams in judged.items()
    }
    every = [
        tag for streams in found.values() for some in streams.values() for tag in some
    ]
    earlier = earlier_targets(connection, every)
    return {
        number: {
            stream: [tag.pointed for tag in some]
            + [pointed for tag in some for pointed in earlier.get(tag.id, ())]
            for stream, some in streams.items()
        }
        for number, streams in found.items()
    }


def newest_tags(
    connection: Connection, latest: LatestTags, wanted: Mapping[int, Collection[str]]
) -> dict[int, dict[str, StreamTag]]:
    """The newest live tag of each of these streams of names of each repository; a tag
    that was moved is a stream of its own, and no part of one. A stream that none of
    the latest tags belongs to is left out."""
    found: dict[int, dict[str, StreamTag]] = {number: {} for number in wanted}
    lacking = {number: set(streams) for number, streams in wanted.items() if streams}
    parts = {number: latest.newest(number) for number in lacking}
    while lacking:
        some: dict[int, list[StreamTag]] = {}
        for number, streams in list(lacking.items()):
            part = next(parts[number], None)
            if part is None:
                del lacking[number]
            else:
                some[number] = [t for t in part if stream_of(t.name) in streams]
        moved = earlier_targets(connection, [t for each in some.values() for t in each])
        for number, each in some.items():
            for tag in each:
                if tag.id not in moved:
                    found[number].setdefault(stream_of(tag.name), tag)
            lacking[number] -= found[number].keys()
            if not lacking[number]:
                del lacking[number]
    return found


def _latest_tags(
    latest: LatestTags, repository_id: int, judged: JudgedStreams
) -> dict[str, list[StreamTag]]:
    """The latest tags of each stream, gone ones too, until they point to enough."""
    found = {stream: list(some) for stream, some in judged.items()}
    seen = {tag.id for some in judged.values() for tag in some}
    targets = {s: {tag.target for tag in some} for s, some in judged.items()}
    lacking = {s for s, some in targets.items() if len(some) < TARGETS}
    for part in latest.latest(repository_id):
        for tag in part:
            stream = stream_of(tag.name)
            if tag.id in seen or stream not in lacking or tag.target in targets[stream]:
                continue
            found[stream].append(tag)
            targets[stream].add(tag.target)
            if len(targets[stream]) >= TARGETS:
                lacking.discard(stream)
        if not lacking:
            break
    return found
