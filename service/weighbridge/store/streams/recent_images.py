"""What a tag's stream had last: the images that the next one is compared with."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, select

from weighbridge.domain.growth.newest import Candidate, ranked
from weighbridge.domain.growth.version import stream_of
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.platform import Platform
from weighbridge.store.models import registries, repositories
from weighbridge.store.streams.earlier_targets import read_streams
from weighbridge.store.streams.latest_tags import LatestTags, Pointed
from weighbridge.store.streams.stream_images import StreamImage, images_of


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
