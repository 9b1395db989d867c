"""Rows of `unjudged`: tags that moved and that no policy was held against yet."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from msgspec import Struct
from sqlalchemy import Connection, bindparam, case, delete, func, or_, select

from weighbridge.store.dialect import (
    BulkDelete,
    BulkUpsert,
    Rows,
    among_ids,
    among_texts,
    listed,
)
from weighbridge.store.leases.claiming import Claim
from weighbridge.store.models import (
    repositories,
    repository_summaries,
    tags,
    unjudged,
    violations,
)
from weighbridge.store.tags.tag_rows import read_tags

AT_ONCE: Final = 2_000
"""Tags that are judged in one transaction."""

_PUT: Final = BulkUpsert(
    unjudged, key=("repository_id", "tag_id"), values=("is_silent", "is_weighed")
)
_DROP: Final = BulkDelete(unjudged, key=("repository_id", "tag_id"))
_READ: Final = (
    select(
        unjudged.c.tag_id,
        tags.c.name,
        case((tags.c.deleted_at.is_(None), tags.c.target_id)).label("target"),
        tags.c.moved_at,
        tags.c.pushed_at,
        unjudged.c.is_silent,
        unjudged.c.is_weighed,
    )
    .join(tags, tags.c.id == unjudged.c.tag_id)
    .limit(AT_ONCE)
)
_OF_MANY: Final = (
    _READ.add_columns(unjudged.c.repository_id)
    .where(among_ids(unjudged.c.repository_id))
    .order_by(unjudged.c.repository_id, unjudged.c.tag_id)
)
_FIND: Final = _READ.where(
    unjudged.c.repository_id == bindparam("repository"),
    unjudged.c.tag_id > bindparam("after"),
).order_by(unjudged.c.tag_id)
_MOVED: Final = _FIND.where(unjudged.c.is_weighed.is_(False))
_NEWEST: Final = (
    select(
        tags.c.repository_id,
        tags.c.id,
        tags.c.name,
        tags.c.target_id,
        tags.c.moved_at,
        tags.c.pushed_at,
    )
    .join_from(
        repository_summaries,
        tags,
        (tags.c.repository_id == repository_summaries.c.repository_id)
        & (tags.c.name == repository_summaries.c.newest_tag),
    )
    .where(
        among_ids(repository_summaries.c.repository_id),
        tags.c.deleted_at.is_(None),
        tags.c.target_id.is_not(None),
    )
)
_UNTOLD: Final = Rows(
    select(tags.c.id)
    .distinct()
    .outerjoin(
        violations,
        (violations.c.repository_id == tags.c.repository_id)
        & (violations.c.tag == tags.c.name)
        & violations.c.closed_at.is_(None)
        & violations.c.is_silent,
    )
    .where(
        tags.c.repository_id == bindparam("repository"),
        among_texts(tags.c.name),
        tags.c.deleted_at.is_(None),
        tags.c.target_id.is_not(None),
        or_(tags.c.moved_at.is_(None), violations.c.id.is_not(None)),
    )
)
_WEIGHED: Final = Rows(
    select(unjudged.c.tag_id)
    .join(tags, tags.c.id == unjudged.c.tag_id)
    .where(
        unjudged.c.repository_id == bindparam("repository"),
        unjudged.c.is_weighed,
        among_texts(tags.c.name),
    )
)
_WAITING: Final = (
    select(unjudged.c.repository_id, func.count())
    .group_by(unjudged.c.repository_id)
    .join(repositories, repositories.c.id == unjudged.c.repository_id)
    .where(repositories.c.registry_id == bindparam("registry"))
    .order_by(unjudged.c.repository_id)
)


class UnjudgedTag(Struct, frozen=True):
    """A tag that moved, as it is now.

    target:     None: it is gone, or cannot be read any more
    is_silent:  nobody is to be told: it came with its registry's first crawl
    is_weighed: all was judged but its uncompressed size, which is not known yet
    """

    tag_id: int
    name: str
    target: int | None
    moved_at: datetime | None
    pushed_at: datetime | None
    is_silent: bool = False
    is_weighed: bool = False


class Noted(NamedTuple):
    """Tags that a batch found to be new, and such that moved away from what we saw
    before, by their ids."""

    claim: Claim
    new: Sequence[int]
    moved: Sequence[int]


def note_unjudged(connection: Connection, noted: Iterable[Noted]) -> None:
    """Remember tags that are new or moved.

    Not what is new before a repository's first complete crawl, unless somebody said
    that it was pushed: what was there before us is nobody's push.
    """
    _note(
        connection,
        [
            (claim.repository_id, tag)
            for claim, new, moved in noted
            for tag in (moved if _is_first(claim) else [*moved, *new])
        ],
    )


def _is_first(claim: Claim) -> bool:
    return claim.crawl_number == 0 and not claim.is_push


def note_said(connection: Connection, claim: Claim, names: Collection[str]) -> bool:
    """Remember tags of which somebody says that what we have seen there already was
    pushed just now: those that a first crawl has found, or that nobody was told of.
    Returns whether there are any."""
    parameters = {"repository": claim.repository_id, "names": listed(sorted(names))}
    found = [tag for (tag,) in _UNTOLD.read(connection, parameters)] if names else []
    _note(connection, [(claim.repository_id, tag) for tag in found])
    return bool(found)


def _note(connection: Connection, found: Iterable[tuple[int, int]]) -> None:
    _PUT.put(connection, [(*key, False, False) for key in sorted(found)])


def find_unjudged(
    connection: Connection, repository_ids: Collection[int], after: int = -1
) -> dict[int, list[UnjudgedTag]]:
    """The next tags of each repository that wait, at most `AT_ONCE`; where none waits
    there is no entry.

    after: -1, or the last tag of one repository
    """
    if len(repository_ids) > 1:
        ids = {"ids": listed(sorted(repository_ids))}
        rows = connection.execute(_OF_MANY, ids).all()
        if len(rows) < AT_ONCE:
            found: dict[int, list[UnjudgedTag]] = {}
            for *tag, number in rows:
                found.setdefault(number, []).append(UnjudgedTag(*tag))
            return found
    return {
        number: some
        for number in sorted(repository_ids)
        if (some := _find(connection, number, after))
    }


def _find(connection: Connection, repository_id: int, after: int) -> list[UnjudgedTag]:
    parameters = {"repository": repository_id, "after": after}
    return [UnjudgedTag(*row) for row in connection.execute(_FIND, parameters)]


def find_moved(
    connection: Connection, repository_id: int, after: int
) -> list[UnjudgedTag]:
    """The next tags that nothing was judged of yet, at most `AT_ONCE`."""
    parameters = {"repository": repository_id, "after": after}
    return [UnjudgedTag(*row) for row in connection.execute(_MOVED, parameters)]


def waits_for_size(
    connection: Connection, repository_id: int, names: Collection[str]
) -> bool:
    """Whether there is a limit on the uncompressed size of one of these tags, and that
    is not known yet."""
    if not names:
        return False
    parameters = {"repository": repository_id, "names": listed(sorted(names))}
    return bool(_WEIGHED.read(connection, parameters))


def find_tags(
    connection: Connection, repository_id: int, names: Collection[str]
) -> list[UnjudgedTag]:
    """Live tags by their names, to be judged though nobody has moved them."""
    found = read_tags(connection, {repository_id: sorted(names)})[repository_id]
    return [
        UnjudgedTag(tag.id, tag.name, tag.live_target, tag.moved_at, tag.pushed_at)
        for _, tag in sorted(found.items())
        if tag.live_target is not None
    ]


def find_newest(
    connection: Connection, repository_ids: Collection[int]
) -> dict[int, UnjudgedTag]:
    """The tag of the newest image of each repository, to be judged the same way."""
    rows = connection.execute(_NEWEST, {"ids": listed(sorted(repository_ids))})
    return {number: UnjudgedTag(*tag) for number, *tag in rows}


def keep_waiting(
    connection: Connection, waiting: Mapping[int, Iterable[UnjudgedTag]]
) -> None:
    """Remember tags of repositories of which not all could be judged yet."""
    rows = [
        (number, tag.tag_id, tag.is_silent, tag.is_weighed)
        for number, some in waiting.items()
        for tag in some
    ]
    _PUT.put(connection, rows)


def drop_unjudged(connection: Connection, judged: Mapping[int, Iterable[int]]) -> None:
    """These tags of repositories are judged."""
    rows = [(number, tag) for number, some in judged.items() for tag in sorted(some)]
    _DROP.remove(connection, rows)


def forget_unjudged(connection: Connection, repository_id: int) -> None:
    """None of a repository waits any more."""
    connection.execute(
        delete(unjudged).where(unjudged.c.repository_id == repository_id)
    )


def unjudged_repositories(connection: Connection, registry_id: int) -> dict[int, int]:
    """Repositories with tags that wait, and how many of each do."""
    rows = connection.execute(_WAITING, {"registry": registry_id})
    return {number: count for number, count in rows}
