"""The read model's row once more, the plain way: every tag, every document below it.

It shares with the store the tables' names and the rules of the domain, and none of its
statements, so that a mistake in one is no mistake in the other.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, text

from weighbridge.domain.growth.newest import Candidate, baseline, ranked
from weighbridge.domain.image.digest import from_raw
from weighbridge.domain.image.platform import (
    Platform,
    parse_platform,
    reference_platform,
)
from weighbridge.store.models.types import LARGEST, moment_of

_IMAGE: Final = 2
_FIRST_KEPT: Final = 2
_TO_IMAGES: Final = (0, 1)
_ALL: Final = range(4)
_NEWEST: Final = (
    "newest_tag",
    "newest_by",
    "newest_at",
    "newest_image_id",
    "newest_platform",
    "newest_compressed_bytes",
    "baseline_compressed_bytes",
)


class _Blob(NamedTuple):
    digest: bytes
    state: int
    compressed_bytes: int | None


class _Image(NamedTuple):
    platform: str
    created_at: int | None
    compressed_bytes: int
    stored_bytes: int


class _Tag(NamedTuple):
    name: str
    target: int | None
    pushed_at: int | None
    moved_at: int | None
    error_code: str | None


class _Facts:
    """All that is kept of documents."""

    def __init__(self, connection: Connection) -> None:
        def rows(query: str) -> list[tuple[Any, ...]]:  # of any columns
            return [tuple(row) for row in connection.execute(text(query))]

        self.blobs: dict[int, _Blob] = {
            number: _Blob(*row)
            for number, *row in rows(
                "SELECT id, digest, facts_state, compressed_bytes FROM blobs"
            )
        }
        self.images: dict[int, _Image] = {
            number: _Image(*row)
            for number, *row in rows(
                "SELECT images.id, platforms.text, created_at, compressed_bytes,"
                " stored_bytes FROM images JOIN platforms"
                " ON platforms.id = platform_id"
            )
        }
        self.artifacts: dict[int, int] = {
            number: size
            for number, size in rows("SELECT id, stored_bytes FROM artifacts")
        }
        self.members: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for index, child, role in rows(
            "SELECT index_id, child_id, role FROM index_members"
            " ORDER BY index_id, position"
        ):
            self.members[index].append((child, role))

    def is_kept(self, manifest: int) -> bool:
        return self.blobs[manifest].state >= _FIRST_KEPT

    def walk(self, target: int, roles: Sequence[int]) -> Iterator[tuple[int, int]]:
        """What lies below and itself, depth first, each once, with its role."""
        seen = set()
        waiting = [(target, 0)]
        while waiting:
            manifest, role = waiting.pop(0)
            if manifest in seen or role not in roles:
                continue
            seen.add(manifest)
            yield manifest, role
            if self.is_kept(manifest):
                waiting = [*self.members[manifest], *waiting]

    def stored_bytes(self, target: int) -> int:
        return sum(self._own_bytes(below) for below, _ in self.walk(target, _ALL))

    def _own_bytes(self, manifest: int) -> int:
        if self.is_kept(manifest) and manifest in self.images:
            return self.images[manifest].stored_bytes
        if self.is_kept(manifest) and manifest in self.artifacts:
            return self.artifacts[manifest]
        return self.blobs[manifest].compressed_bytes or 0

    def headline(
        self, target: int, preferred: Sequence[Platform]
    ) -> tuple[Platform, int] | None:
        found: dict[Platform, int] = {}
        for manifest, role in self.walk(target, _TO_IMAGES):
            if role == 0 and self.is_kept(manifest) and manifest in self.images:
                platform = parse_platform(self.images[manifest].platform)
                found.setdefault(platform, manifest)
        if not found:
            return None
        chosen = reference_platform(found, preferred) or next(iter(found))
        return chosen, found[chosen]


def plain_summary(
    connection: Connection,
    repository_id: int,
    now: datetime,
    platforms: Sequence[Platform],
) -> dict[str, object]:
    """The columns that a refresh makes, without those of the heaviest line."""
    facts = _Facts(connection)
    rows = connection.execute(
        text(
            "SELECT name, target_id, pushed_at, moved_at, error_code FROM tags"
            " WHERE repository_id = :repository AND deleted_at IS NULL"
        ),
        {"repository": repository_id},
    )
    tags = [_Tag(*row) for row in rows]
    targets = [tag.target for tag in tags if tag.target is not None]
    live = {below for target in targets for below, _ in facts.walk(target, _ALL)}
    weighed = [
        facts.images[manifest].compressed_bytes
        for manifest in live
        if facts.blobs[manifest].state == _IMAGE
    ]
    return {
        "tag_count": len(tags),
        "tags_failed": sum(tag.error_code is not None for tag in tags),
        "image_count": len(weighed),
        "weighed_bytes": min(sum(weighed), LARGEST),
        "largest_compressed_bytes": max(weighed, default=None),
        "referenced_bytes": min(sum(map(facts.stored_bytes, targets)), LARGEST),
        **_newest(facts, tags, now, platforms),
    }


def _newest(
    facts: _Facts, tags: Sequence[_Tag], now: datetime, platforms: Sequence[Platform]
) -> dict[str, object]:
    headlines = {
        tag.name: found
        for tag in tags
        if tag.target is not None
        and (found := facts.headline(tag.target, platforms)) is not None
    }
    order = ranked(
        [
            _candidate(facts, tag, headlines[tag.name][1])
            for tag in tags
            if tag.name in headlines
        ],
        now,
    )
    if not order:
        return dict.fromkeys(_NEWEST)
    first = order[0].candidate
    platform, image = headlines[first.tag]
    return {
        "newest_tag": first.tag,
        "newest_by": order[0].by,
        "newest_at": first.pushed_at or first.moved_at or first.created_at,
        "newest_image_id": image,
        "newest_platform": str(platform),
        "newest_compressed_bytes": first.compressed_bytes,
        "baseline_compressed_bytes": baseline(order),
    }


def _candidate(facts: _Facts, tag: _Tag, image: int) -> Candidate:
    return Candidate(
        tag=tag.name,
        digest=from_raw(facts.blobs[image].digest),
        pushed_at=_moment(tag.pushed_at),
        moved_at=_moment(tag.moved_at),
        created_at=_moment(facts.images[image].created_at),
        compressed_bytes=facts.images[image].compressed_bytes,
    )


def _moment(since_epoch: int | None) -> datetime | None:
    return None if since_epoch is None else moment_of(since_epoch)
