"""Where else an image is: the other repositories that hold the same manifest, in any
registry; and since when a tag leads to what it leads to.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, Select, bindparam, select

from weighbridge.domain.access.principal import Sight
from weighbridge.domain.size.weighing import Weighing
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.models import (
    blobs,
    registries,
    repositories,
    repository_manifests,
    tags,
)
from weighbridge.store.named_rows import NAMES, find_place, named

SHOWN: Final = 8
"""Repositories that are named."""
MOST: Final = 1_000
"""Repositories that are counted."""
_held = repository_manifests.c
_FEW: Final = (
    select(_held.repository_id, _held.tag_count)
    .join(blobs, blobs.c.id == _held.manifest_id)
    .where(
        blobs.c.digest == bindparam("digest"),
        _held.repository_id != bindparam("repository"),
    )
    .limit(MOST + 1)
)
_OF_THESE: Final = _FEW.where(among_ids(_held.repository_id))


def _named(few: Select[int, int]) -> Select[str, str, int]:
    held = few.subquery()
    return (
        select(*NAMES, held.c.tag_count)
        .select_from(named(held))
        .where(repositories.c.deleted_at.is_(None))
        .order_by(registries.c.name, repositories.c.name)
    )


_OTHERS: Final = _named(_FEW)
_OTHERS_OF_THESE: Final = _named(_OF_THESE)

_TAG: Final = select(tags.c.pushed_at, tags.c.moved_at, tags.c.first_seen_at).where(
    tags.c.repository_id == bindparam("repository"), tags.c.name == bindparam("name")
)


class OtherRepository(NamedTuple):
    """A repository that holds a manifest.

    tags: how many of its tags lead straight to it; 0: an index there has it
    """

    registry: str
    repository: str
    tags: int


class TagSince(NamedTuple):
    """Since when a tag leads to what it leads to now, or led to last.

    pushed_at: when it was pushed, as the registry or a webhook says; None: not known
    seen_at:   when a crawl or a webhook first saw it there
    is_first:  its repository was first crawled then: it may be there for longer
    """

    pushed_at: datetime | None
    seen_at: datetime
    is_first: bool


class Whereabouts(NamedTuple):
    """Of an image.

    holders: other repositories that hold it now, by name, at most SHOWN
    repositories: how many there are, at most MOST
    is_more: there are others besides these MOST
    since:   None: it was asked for by its digest
    """

    holders: Sequence[OtherRepository] = ()
    repositories: int = 0
    is_more: bool = False
    since: TagSince | None = None


NOWHERE_ELSE: Final = Whereabouts()


def find_whereabouts(
    connection: Connection, weighing: Weighing, sight: Sight | None = None
) -> Whereabouts:
    """Of the first image of a weighing, else of what the tag or digest leads to.

    sight: which repositories are seen, None: all
    """
    place = find_place(connection, weighing.registry, weighing.repository)
    if place is None:
        return NOWHERE_ELSE
    digest = weighing.images[0].digest if weighing.images else weighing.digest
    wanted: dict[str, object] = {"digest": digest, "repository": place.id}
    others = _OTHERS
    if sight is not None:
        others, wanted["ids"] = _OTHERS_OF_THESE, listed(sorted(sight.ids))
    found = [OtherRepository._make(row) for row in connection.execute(others, wanted)]
    return Whereabouts(
        found[:SHOWN],
        min(len(found), MOST),
        len(found) > MOST,
        None if weighing.tag is None else _since(connection, place.id, weighing.tag),
    )


def _since(connection: Connection, repository_id: int, tag: str) -> TagSince | None:
    found = connection.execute(_TAG, {"repository": repository_id, "name": tag}).first()
    if found is None:
        return None
    pushed_at, moved_at, first_seen_at = found
    return TagSince(pushed_at, moved_at or first_seen_at, moved_at is None)
