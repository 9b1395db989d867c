"""The images that targets lead to, with what they weigh in a storage scope: those that
limits are held against, those that speak for targets, and those that a tag's stream had
last, which the next one is compared with.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import BigInteger, Connection, bindparam, select

from weighbridge.domain.growth.newest import Candidate, ranked, stream_of
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
from weighbridge.store.models import (
    blobs,
    images,
    manifest_sizes,
    registries,
    repositories,
)
from weighbridge.store.sizes.manifest_sizes import (
    COMPRESSED_BYTES,
    COMPRESSED_CONFIDENCE,
    IS_WHOLE,
    in_scope,
)
from weighbridge.store.streams.stream_tags import LatestTags, Pointed, read_streams

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


class TargetImages(Struct, frozen=True):
    """What targets lead to.

    by_platform: the images of each target, by the name of the platform
    awaited:     targets that lead to none of the platforms yet, for want of a child
                 that could not be read
    """

    by_platform: Mapping[int, Mapping[str, StreamImage]]
    awaited: frozenset[int]


def images_of(
    connection: Connection,
    scope_id: int,
    targets: Collection[int],
    platforms: Sequence[Platform],
) -> TargetImages:
    """The images that each target of a storage scope leads to; only those of the
    platforms, or where it has none of them the one that speaks for it."""
    graph = load_graph(connection, sorted(set(targets)))
    found = {target: graph.images_of(target) for target in targets}
    awaited = frozenset(
        target
        for target, images in found.items()
        if not any(matches(p, wanted) for p in images for wanted in platforms)
        and _lacks_one(graph, target, platforms)
    )
    chosen = {
        target: _of_platforms(images, platforms)
        for target, images in found.items()
        if target not in awaited
    }
    ids = {image for some in chosen.values() for image in some.values()}
    known = _read_images(connection, scope_id, ids)
    by_platform = {
        target: {name: known[image] for name, image in some.items() if image in known}
        for target, some in chosen.items()
    }
    return TargetImages(by_platform, awaited)


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
    known = _read_images(connection, scope_id, {image for _, image in chosen.values()})
    return {
        target: Headline(platform, known[image])
        for target, (platform, image) in chosen.items()
    }


def _read_images(
    connection: Connection, scope_id: int, ids: Collection[int]
) -> dict[int, StreamImage]:
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
            found = images_of(self._connection, scope_id, new, self._platforms)
            for each in new:
                self._images[scope_id, each] = found.by_platform.get(each, {})
            self._awaited |= {(scope_id, each) for each in found.awaited}

    def of(self, scope_id: int, target: int) -> Mapping[str, StreamImage]:
        """The images that a target leads to, by the name of the platform."""
        return self._images[scope_id, target]

    def is_awaited(self, scope_id: int, target: int) -> bool:
        """See `TargetImages.awaited`."""
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


class RecentImage(NamedTuple):
    """One image of a stream."""

    platform: str
    digest: Digest
    compressed_bytes: int


def recent_images(
    connection: Connection,
    registry: str,
    repository: str,
    tag: str,
    platforms: Sequence[Platform],
    now: datetime,
) -> list[RecentImage]:
    """The distinct images of each platform that tags like this one have pointed to,
    the latest first; none of a repository that is not known.

    The tag need not be there yet.
    """
    row = connection.execute(
        select(repositories.c.id, repositories.c.scope_id)
        .join(registries, registries.c.id == repositories.c.registry_id)
        .where(registries.c.name == registry, repositories.c.name == repository)
    ).one_or_none()
    if row is None:
        return []
    stream = stream_of(tag)
    wanted = {row.id: {stream: ()}}
    pointed = read_streams(connection, LatestTags(connection), wanted)[row.id][stream]
    targets = {each.target for each in pointed}
    found = images_of(connection, row.scope_id, targets, platforms).by_platform
    names = dict.fromkeys(name for images in found.values() for name in images)
    return [
        RecentImage(name, candidate.digest, candidate.compressed_bytes)
        for name in names
        for candidate in _latest_first(pointed, found, name, now)
    ]


def knows_images(connection: Connection, registry: str, repository: str) -> bool:
    """Whether what `recent_images` finds is all that there is: the repository was
    crawled to its end, or the registry said that it does not have it."""
    found = connection.execute(
        select(
            registries.c.last_complete_discovery_at,
            repositories.c.id,
            repositories.c.last_complete_crawl_at,
            repositories.c.state,
        )
        .join_from(
            registries,
            repositories,
            (repositories.c.registry_id == registries.c.id)
            & (repositories.c.name == repository),
            isouter=True,
        )
        .where(registries.c.name == registry)
    ).one_or_none()
    if found is None:
        return False
    if found.id is None:
        return found.last_complete_discovery_at is not None
    is_whole = found.last_complete_crawl_at is not None
    return is_whole or found.state in ("missing", "deleted")


def _latest_first(
    pointed: Sequence[Pointed],
    found: Mapping[int, Mapping[str, StreamImage]],
    platform: str,
    now: datetime,
) -> list[Candidate]:
    candidates = [
        Candidate(
            tag=each.tag,
            digest=image.digest,
            # Whoever told when: a registry may give push times for some tags only.
            pushed_at=None,
            moved_at=each.since,
            created_at=image.created_at,
            compressed_bytes=image.compressed_bytes,
        )
        for each in pointed
        if (image := found.get(each.target, {}).get(platform)) is not None
    ]
    latest: dict[Digest, Candidate] = {}
    for place in ranked(candidates, now):
        latest.setdefault(place.candidate.digest, place.candidate)
    return list(latest.values())
