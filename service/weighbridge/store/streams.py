"""What tags have pointed to, one thing after the other.

A stream has no row of its own: it is found again in the names of a repository's tags
and in their moves. Whatever is read is bounded, however many tags there are.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from weighbridge.domain.stream import stream_of
from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.models import tag_moves, tags

TARGETS: Final = 16
"""Different things that a tag, or a stream, has pointed to: more than the ten images
that a baseline is made of, since some may weigh nothing that could be compared."""
_TAGS: Final = 2_000
"""The tags of a repository, the latest first, that are gone through."""

_tag = tags.c
_move = tag_moves.c
_LATEST: Final = (
    select(_tag.id, _tag.name, _tag.target_id, _tag.moved_at, _tag.pushed_at)
    .where(_tag.repository_id == bindparam("repository"), _tag.target_id.is_not(None))
    .order_by(
        func.coalesce(_tag.pushed_at, _tag.moved_at, _tag.first_seen_at).desc(),
        _tag.natural_key.desc(),
    )
    .limit(_TAGS)
)
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


_NEWEST: Final = (
    select(_tag.id, _tag.name, _tag.target_id, _tag.moved_at, _tag.pushed_at)
    .where(
        _tag.repository_id == bindparam("repository"),
        _tag.target_id.is_not(None),
        _tag.gone_at.is_(None),
    )
    .order_by(
        func.coalesce(_tag.pushed_at, _tag.moved_at).desc().nulls_last(),
        _tag.natural_key.desc(),
    )
    .limit(_TAGS)
)


class Pointed(NamedTuple):
    """A tag pointed there, from a moment on; None: from before our first look."""

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
        return Pointed(self.name, self.target, self.pushed_at or self.moved_at)


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
    connection: Connection,
    repository_id: int,
    judged: Mapping[str, Collection[StreamTag]],
) -> dict[str, list[Pointed]]:
    """What the tags whose names differ in numbers only have pointed to, by
    `stream_of` their names; in no order.

    judged: tags of each stream that are part of it in any case
    """
    found = _latest_tags(connection, repository_id, judged)
    every = [tag for some in found.values() for tag in some]
    earlier = earlier_targets(connection, every)
    return {
        stream: [tag.pointed for tag in some]
        + [pointed for tag in some for pointed in earlier.get(tag.id, ())]
        for stream, some in found.items()
    }


def newest_tags(
    connection: Connection, repository_id: int, streams: Collection[str]
) -> dict[str, StreamTag]:
    """The newest live tag of each stream of names; a tag that was moved is a stream of
    its own, and no part of one. A stream that none of the latest tags belongs to is
    left out."""
    found: dict[str, StreamTag] = {}
    lacking = set(streams)
    if not lacking:
        return found
    rows = connection.execute(_NEWEST, {"repository": repository_id})
    for part in rows.partitions(100):
        some = [StreamTag._make(row) for row in part]
        some = [tag for tag in some if stream_of(tag.name) in lacking]
        moved = earlier_targets(connection, some)
        for tag in some:
            if tag.id not in moved:
                found.setdefault(stream_of(tag.name), tag)
        lacking -= found.keys()
        if not lacking:
            break
    rows.close()
    return found


def _latest_tags(
    connection: Connection,
    repository_id: int,
    judged: Mapping[str, Collection[StreamTag]],
) -> dict[str, list[StreamTag]]:
    """The latest tags of each stream, gone ones too, until they point to enough."""
    found = {stream: list(some) for stream, some in judged.items()}
    seen = {tag.id for some in judged.values() for tag in some}
    targets = {s: {tag.target for tag in some} for s, some in judged.items()}
    lacking = {s for s, some in targets.items() if len(some) < TARGETS}
    rows = connection.execute(_LATEST, {"repository": repository_id})
    for part in rows.partitions(100):
        for row in part:
            tag = StreamTag._make(row)
            stream = stream_of(tag.name)
            if tag.id in seen or stream not in lacking or tag.target in targets[stream]:
                continue
            found[stream].append(tag)
            targets[stream].add(tag.target)
            if len(targets[stream]) >= TARGETS:
                lacking.discard(stream)
        if not lacking:
            break
    rows.close()
    return found
