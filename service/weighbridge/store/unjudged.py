"""Rows of `unjudged`: tags that moved and that no policy was held against yet."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, case, delete, or_, select

from weighbridge.store.claiming import Claim
from weighbridge.store.dialect import GoneRows, PutRows, Rows, among_texts, listed
from weighbridge.store.models import repositories, tags
from weighbridge.store.push_tables import unjudged, violations
from weighbridge.store.tag_rows import read_tags

AT_ONCE: Final = 2_000
"""Tags that are judged in one transaction."""

_PUT: Final = PutRows(
    unjudged, key=("repository_id", "tag_id"), values=("is_silent", "is_weighed")
)
_DROP: Final = GoneRows(unjudged, key=("repository_id", "tag_id"))
_FIND: Final = (
    select(
        unjudged.c.tag_id,
        tags.c.name,
        case((tags.c.gone_at.is_(None), tags.c.target_id)).label("target"),
        tags.c.moved_at,
        tags.c.pushed_at,
        unjudged.c.is_silent,
        unjudged.c.is_weighed,
    )
    .join(tags, tags.c.id == unjudged.c.tag_id)
    .where(
        unjudged.c.repository_id == bindparam("repository"),
        unjudged.c.tag_id > bindparam("after"),
    )
    .order_by(unjudged.c.tag_id)
    .limit(AT_ONCE)
)
_MOVED: Final = _FIND.where(unjudged.c.is_weighed.is_(False))
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
        tags.c.gone_at.is_(None),
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
    select(unjudged.c.repository_id)
    .distinct()
    .join(repositories, repositories.c.id == unjudged.c.repository_id)
    .where(repositories.c.registry_id == bindparam("registry"))
    .order_by(unjudged.c.repository_id)
)


@dataclass(frozen=True, slots=True)
class UnjudgedTag:
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

    Not what is new before a repository's first complete pass, unless somebody said
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
    return claim.pass_number == 0 and not claim.is_push


def note_said(connection: Connection, claim: Claim, names: Collection[str]) -> bool:
    """Remember tags of which somebody says that what we have seen there already was
    pushed just now: those that a first pass has found, or that nobody was told of.
    Returns whether there are any."""
    parameters = {"repository": claim.repository_id, "names": listed(sorted(names))}
    found = [tag for (tag,) in _UNTOLD.read(connection, parameters)] if names else []
    _note(connection, [(claim.repository_id, tag) for tag in found])
    return bool(found)


def _note(connection: Connection, found: Iterable[tuple[int, int]]) -> None:
    _PUT.put(connection, [(*key, False, False) for key in sorted(found)])


def find_unjudged(
    connection: Connection, repository_id: int, after: int = -1
) -> list[UnjudgedTag]:
    """The next tags that wait, at most `AT_ONCE`."""
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


def find_tag(
    connection: Connection, repository_id: int, name: str
) -> UnjudgedTag | None:
    """A live tag by its name, to be judged though nobody has moved it."""
    tag = read_tags(connection, {repository_id: [name]})[repository_id].get(name)
    if tag is None or tag.live_target is None:
        return None
    return UnjudgedTag(tag.id, name, tag.live_target, tag.moved_at, tag.pushed_at)


def keep_waiting(
    connection: Connection, repository_id: int, waiting: Iterable[UnjudgedTag]
) -> None:
    """Remember tags of which not all could be judged yet."""
    rows = [
        (repository_id, tag.tag_id, tag.is_silent, tag.is_weighed) for tag in waiting
    ]
    _PUT.put(connection, rows)


def drop_unjudged(
    connection: Connection, repository_id: int, tag_ids: Collection[int]
) -> None:
    """They are judged."""
    _DROP.remove(connection, [(repository_id, tag) for tag in sorted(tag_ids)])


def forget_unjudged(connection: Connection, repository_id: int) -> None:
    """None of a repository waits any more."""
    connection.execute(
        delete(unjudged).where(unjudged.c.repository_id == repository_id)
    )


def unjudged_repositories(connection: Connection, registry_id: int) -> list[int]:
    """Repositories with tags that wait."""
    parameters = {"registry": registry_id}
    return list(connection.execute(_WAITING, parameters).scalars())
