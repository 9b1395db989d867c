"""The tags of repositories and what they point to, the latest first."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import Connection, Select, bindparam, func, select

from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.models import tags

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
