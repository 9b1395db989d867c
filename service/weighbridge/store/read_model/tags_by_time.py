"""Live tags of repositories with their times, read page by page or all at once."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    func,
    literal_column,
    not_,
    select,
)

from weighbridge.domain.growth.newest import NEVER, times_rank
from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.ledger.blob_expressions import LEADS_TO_IMAGES
from weighbridge.store.models import blobs, tags
from weighbridge.store.models.types import Moment, microseconds

# As words of the statement: for PostgreSQL two parameters are two expressions.
_never: ColumnElement[datetime] = literal_column(str(microseconds(NEVER)))
_pushed = func.coalesce(tags.c.pushed_at, _never)
_moved = func.coalesce(tags.c.moved_at, _never)
_is_latest = tags.c.name == literal_column("'latest'")
_OF_REPOSITORY: Final = (
    tags.c.repository_id == bindparam("repository"),
    tags.c.deleted_at.is_(None),
)
_NEWEST_FIRST: Final = (_pushed.desc(), _moved.desc(), _is_latest.desc())
_TAG: Final[tuple[ColumnElement[Any], ...]] = (
    tags.c.name,
    tags.c.target_id,
    tags.c.pushed_at,
    tags.c.moved_at,
    literal_column("1").label("tags"),
)
_TAGS: Final = Rows(
    select(*_TAG)
    .where(*_OF_REPOSITORY, tags.c.target_id.is_not(None))
    .order_by(*_NEWEST_FIRST)
    .limit(bindparam("most"))
)
_OF_MANY: Final = Rows(
    select(tags.c.repository_id, *_TAG).where(
        among_ids(tags.c.repository_id),
        tags.c.deleted_at.is_(None),
        tags.c.target_id.is_not(None),
    )
)
_TARGETS: Final = Rows(
    select(
        func.min(tags.c.name).label("name"),
        tags.c.target_id,
        tags.c.pushed_at,
        tags.c.moved_at,
        func.count().label("tags"),
    )
    .join_from(tags, blobs, blobs.c.id == tags.c.target_id)
    .where(
        *_OF_REPOSITORY,
        LEADS_TO_IMAGES,
        not_(among_ids(tags.c.target_id, "seen")),
    )
    .group_by(tags.c.target_id, tags.c.pushed_at, tags.c.moved_at, _is_latest)
    .order_by(*_NEWEST_FIRST)
    .limit(bindparam("most"))
)
_AT: Final = Rows(
    select(tags.c.name, tags.c.target_id)
    .join_from(tags, blobs, blobs.c.id == tags.c.target_id)
    .where(
        *_OF_REPOSITORY,
        LEADS_TO_IMAGES,
        _pushed == bindparam("pushed_at", type_=Moment()),
        _moved == bindparam("moved_at", type_=Moment()),
        _is_latest.is_(False),
        tags.c.name > bindparam("after"),
    )
    .order_by(tags.c.name)
    .limit(bindparam("most"))
)

Times: TypeAlias = tuple[datetime, datetime, bool]
_Row: TypeAlias = tuple[str, int, datetime | None, datetime | None, int]


class TimedTag(NamedTuple):
    """A live tag; or of all `tags` that came to a target at one moment, some one."""

    name: str
    target: int
    pushed_at: datetime | None
    moved_at: datetime | None
    tags: int

    @property
    def times(self) -> Times:
        """How it compares by these."""
        return times_rank(self.name, self.pushed_at, self.moved_at)


class TagPages:
    """The tags of one repository that have a target.

    known: all of them, where they were read already
    """

    def __init__(
        self,
        connection: Connection,
        repository_id: int,
        known: Sequence[TimedTag] | None = None,
    ) -> None:
        self._connection = connection
        self._repository_id = repository_id
        self._known = known

    def first(self, most: int) -> Sequence[TimedTag]:
        """The latest ones, in no order; fewer than `most` are all there are."""
        if self._known is not None:
            return self._known
        return self._read(_TAGS, most=most)

    def targets(self, most: int, seen: Collection[int]) -> Sequence[TimedTag]:
        """The latest ones again, of each target that was not seen yet one for each
        moment."""
        return self._read(_TARGETS, most=most, seen=listed(seen))

    def came_at(self, times: Times, most: int) -> Iterator[Sequence[TimedTag]]:
        """All of one moment that may lead to an image, `latest` left out, in pages of
        at most so many."""
        pushed_at, moved_at, _ = times
        given = {"repository": self._repository_id, "pushed_at": pushed_at}
        given |= {"moved_at": moved_at, "most": most}
        pushed = None if pushed_at == NEVER else pushed_at
        moved = None if moved_at == NEVER else moved_at
        after, is_whole = "", False
        while not is_whole:
            rows = _AT.read(self._connection, {**given, "after": after})
            is_whole = len(rows) < most
            if rows:
                after = rows[-1][0]
                yield [TimedTag(name, to, pushed, moved, 1) for name, to in rows]

    def _read(self, statement: Rows[*_Row], **parameters: object) -> list[TimedTag]:
        given = {"repository": self._repository_id, **parameters}
        return [TimedTag._make(row) for row in statement.read(self._connection, given)]


def read_pages(
    connection: Connection, repository_ids: Collection[int]
) -> dict[int, TagPages]:
    """The pages of repositories that have few tags, all of them read at once."""
    found: dict[int, list[TimedTag]] = {number: [] for number in repository_ids}
    if found:
        for number, *tag in _OF_MANY.read(connection, {"ids": listed(sorted(found))}):
            found[number].append(TimedTag._make(tag))
    return {n: TagPages(connection, n, known) for n, known in found.items()}
