"""What tags have pointed to, one thing after the other.

A stream has no row of its own: it is found again in the names of a repository's tags
and in their moves. Whatever is read is bounded, however many tags there are.
"""

from collections.abc import Collection, Mapping
from typing import Final, TypeAlias

from sqlalchemy import Connection, func, select

from weighbridge.domain.growth.version import stream_of
from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.models import tag_moves
from weighbridge.store.streams.latest_tags import LatestTags, Pointed, StreamTag

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
