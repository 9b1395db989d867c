"""Streams: the tags of repositories, the latest first, what they have pointed to, one
thing after the other, and the images there, with what they weigh in a storage scope:
those that limits are held against, those that speak for targets, and those that a tag's
stream had last, which the next one is compared with.

A stream has no row of its own: it is found again in the names of a repository's tags
and in their moves. Whatever is read is bounded, however many tags there are.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

from msgspec.structs import replace
from sqlalchemy import BigInteger, Connection, Select, bindparam, func, select

from weighbridge.domain.growth.newest import stream_of
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.platform import Platform, matches, pulled_for
from weighbridge.domain.size.confidence import CompressedConfidence, Confidence
from weighbridge.domain.size.weigh_image import weigh_image
from weighbridge.domain.size.weighing import WeighedImage
from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.facts.stored_images import (
    Graph,
    headline,
    load_graph,
    load_images,
)
from weighbridge.store.models import blobs, images, manifest_sizes, tag_moves, tags
from weighbridge.store.sizes.manifest_sizes import (
    COMPRESSED_BYTES,
    COMPRESSED_CONFIDENCE,
    IS_WHOLE,
    in_scope,
)

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


_Parts: TypeAlias = Iterator[Sequence[StreamTag]]
_SortKey: TypeAlias = tuple[datetime, str]
_Sorted: TypeAlias = tuple[_SortKey, _SortKey | None, StreamTag]
"""A tag behind its place among all and among those that are live; None: it is gone."""


class LatestTags:
    """Of each repository at most `MOST`, in parts.

    few: repositories that have few live tags: theirs are read together, once one of
         them is asked for
    """

    def __init__(self, connection: Connection, few: Collection[int] = ()) -> None:
        self._connection = connection
        self._few = few if len(few) > 1 else ()
        self._known: dict[int, list[_Sorted]] | None = None

    def latest(self, repository_id: int) -> _Parts:
        """All, those that are gone too."""
        known = self._of(repository_id)
        if known is None:
            return self._stream(_LATEST, repository_id)
        return _in_parts((latest, tag) for latest, _, tag in known)

    def newest(self, repository_id: int) -> _Parts:
        """Those that are live; last those that were there before our first crawl."""
        known = self._of(repository_id)
        if known is None:
            return self._stream(_NEWEST, repository_id)
        return _in_parts((newest, tag) for _, newest, tag in known if newest)

    def _of(self, repository_id: int) -> Sequence[_Sorted] | None:
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
            for number, first_seen_at, key, is_gone, *row in rows:
                tag = StreamTag._make(row)
                latest = (tag.since or first_seen_at, key)
                newest = None if is_gone else (tag.since or _BEFORE_ALL, key)
                self._known[number].append((latest, newest, tag))
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


def _in_parts(keyed: Iterable[tuple[_SortKey, StreamTag]]) -> _Parts:
    ordered = sorted(keyed, key=itemgetter(0), reverse=True)[:MOST]
    for start in range(0, len(ordered), _PART):
        yield [tag for _, tag in ordered[start : start + _PART]]


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


_IMAGES: Final = Rows(
    select(
        images.c.id,
        blobs.c.digest,
        images.c.created_at,
        COMPRESSED_BYTES,
        images.c.layer_count,
        manifest_sizes.c.uncompressed_bytes,
        manifest_sizes.c.uncompressed_confidence,
        images.c.compressed_bytes.label("claimed_bytes"),
        COMPRESSED_CONFIDENCE,
        IS_WHOLE,
    )
    .select_from(
        in_scope(
            images.join(blobs, blobs.c.id == images.c.id),
            bindparam("scope", type_=BigInteger),
        )
    )
    .where(among_ids(images.c.id))
)


class StreamImage(NamedTuple):
    """An image in a storage scope.

    compressed_bytes: by the registry's word, as far as that is known
    claimed_bytes:    by its manifest alone
    is_whole:         whether all that can be known of its sizes is
    """

    id: int
    digest: Digest
    created_at: datetime | None
    compressed_bytes: int
    layers: int
    uncompressed_bytes: int | None
    uncompressed_confidence: Confidence | None
    claimed_bytes: int
    compressed_confidence: CompressedConfidence
    is_whole: bool


class Headline(NamedTuple):
    """The image that speaks for a target."""

    platform: Platform
    image: StreamImage


def images_of(
    connection: Connection,
    scope_id: int,
    targets: Collection[int],
    platforms: Sequence[Platform],
) -> tuple[dict[int, dict[str, StreamImage]], set[int]]:
    """The images that each target of a storage scope leads to, by the name of the
    platform; only those of the platforms, or where it has none of them the one that
    speaks for it. And the targets that lead to none of the platforms yet, for want of
    a child that could not be read."""
    graph = load_graph(connection, sorted(set(targets)))
    found = {target: graph.images_of(target) for target in targets}
    awaited = {
        target
        for target, images in found.items()
        if not any(matches(p, wanted) for p in images for wanted in platforms)
        and _lacks_one(graph, target, platforms)
    }
    chosen = {
        target: _of_platforms(images, platforms)
        for target, images in found.items()
        if target not in awaited
    }
    ids = {image for some in chosen.values() for image in some.values()}
    known = read_images(connection, scope_id, ids)
    by_platform = {
        target: {name: known[image] for name, image in some.items() if image in known}
        for target, some in chosen.items()
    }
    return by_platform, awaited


def read_headlines(
    connection: Connection,
    graph: Graph,
    targets: Collection[int],
    scope_id: int,
    platforms: Sequence[Platform],
) -> dict[int, Headline]:
    """The image that speaks for each of those targets that lead to one.

    platforms: in the order in which one of them speaks for an index
    """
    chosen: dict[int, tuple[Platform, int]] = {}
    for target in targets:
        found = headline(graph.images_of(target), platforms)
        if found is not None:
            chosen[target] = found
    known = read_images(connection, scope_id, {image for _, image in chosen.values()})
    return {
        target: Headline(platform, known[image])
        for target, (platform, image) in chosen.items()
    }


def read_images(
    connection: Connection, scope_id: int, ids: Collection[int]
) -> dict[int, StreamImage]:
    """These images, also such as were pruned; those that are not known left out."""
    parameters = {"ids": listed(sorted(ids)), "scope": scope_id}
    rows = _IMAGES.read(connection, parameters)
    return {row[0]: StreamImage._make(row) for row in rows}


class ScopedImages:
    """Images in their storage scopes, each read once in a transaction."""

    def __init__(self, connection: Connection, platforms: Sequence[Platform]) -> None:
        self._connection = connection
        self._platforms = platforms
        self._images: dict[tuple[int, int], Mapping[str, StreamImage]] = {}
        self._awaited: set[tuple[int, int]] = set()
        self._weighed: dict[tuple[int, int], WeighedImage | None] = {}

    def read(self, wanted: Mapping[int, Collection[int]]) -> None:
        """Know what these targets of each storage scope lead to."""
        for scope_id, targets in wanted.items():
            new = [each for each in targets if (scope_id, each) not in self._images]
            if not new:
                continue
            found, awaited = images_of(self._connection, scope_id, new, self._platforms)
            for each in new:
                self._images[scope_id, each] = found.get(each, {})
            self._awaited |= {(scope_id, each) for each in awaited}

    def of(self, scope_id: int, target: int) -> Mapping[str, StreamImage]:
        """The images that a target leads to, by the name of the platform."""
        return self._images[scope_id, target]

    def is_awaited(self, scope_id: int, target: int) -> bool:
        """Whether it leads to none of the platforms yet, see `images_of`."""
        return (scope_id, target) in self._awaited

    def weigh(self, wanted: Mapping[int, Collection[int]]) -> None:
        """Know the layers and lines of these images of each storage scope."""
        for scope_id, image_ids in wanted.items():
            new = [each for each in image_ids if (scope_id, each) not in self._weighed]
            if new:
                found = load_images(self._connection, sorted(set(new)), scope_id)
                for each in new:
                    one = found.get(each)
                    self._weighed[scope_id, each] = (
                        None if one is None else weigh_image(one.image, one.measured)
                    )

    def weighed(self, scope_id: int, image_id: int) -> WeighedImage | None:
        """One with all of these; None: it was pruned."""
        self.weigh({scope_id: [image_id]})
        return self._weighed[scope_id, image_id]


def _lacks_one(graph: Graph, target: int, platforms: Sequence[Platform]) -> bool:
    """Whether an index says that there is an image which may be one of these."""
    return any(
        graph.nodes[member.child_id].state == "missing"
        and member.role in ("image", "index")
        and (
            member.platform is None
            or any(matches(member.platform, wanted) for wanted in platforms)
        )
        for member in graph.children_of(target)
    )


def _of_platforms(
    found: Mapping[Platform, int], platforms: Sequence[Platform]
) -> dict[str, int]:
    chosen: dict[str, int] = {}
    for wanted in platforms:
        platform = pulled_for(found, wanted)
        if platform is not None:
            chosen[str(wanted)] = found[platform]
    if not chosen and (leading := headline(found, platforms)) is not None:
        platform, image = leading
        # A version of Windows is another one with every build.
        chosen[str(replace(platform, os_version=""))] = image
    return chosen
