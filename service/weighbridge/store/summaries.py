"""The read model's row of one repository: made from its tags and live images."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, func, select, update

from weighbridge.domain.digest import Digest
from weighbridge.domain.measure import Confidence
from weighbridge.domain.newest import Candidate, baseline, leading, ranked
from weighbridge.domain.platform import DEFAULT, Platform
from weighbridge.domain.sizes import heaviest_line, weigh_image
from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.interned import find_instruction
from weighbridge.store.ledger.facts import IS_IMAGE
from weighbridge.store.ledger.sums import exact_sum, sum_of
from weighbridge.store.locks import lock_repositories
from weighbridge.store.models import (
    blobs,
    images,
    repositories,
    repository_manifests,
    repository_summaries,
    tags,
)
from weighbridge.store.reach import headline, load_graph
from weighbridge.store.stored_images import load_images
from weighbridge.store.types import bounded

_PIECE: Final = 2_000
"""Targets whose children are in memory at once."""

_TAGS: Final = select(
    tags.c.name,
    tags.c.target_id,
    tags.c.moved_at,
    tags.c.pushed_at,
    tags.c.error_code.is_not(None).label("has_error"),
).where(tags.c.repository_id == bindparam("repository"), tags.c.gone_at.is_(None))
_IMAGES: Final = Rows(
    select(
        images.c.id,
        blobs.c.digest,
        images.c.created_at,
        images.c.compressed_bytes,
        images.c.uncompressed_bytes,
        images.c.uncompressed_confidence,
        images.c.layer_count,
    )
    .join_from(images, blobs, blobs.c.id == images.c.id)
    .where(among_ids(images.c.id))
)
_TOTALS: Final = (
    select(
        func.count().label("image_count"),
        func.max(images.c.compressed_bytes).label("largest"),
        *exact_sum(images.c.compressed_bytes, "weighed"),
    )
    .join_from(
        repository_manifests, images, images.c.id == repository_manifests.c.manifest_id
    )
    .join(blobs, blobs.c.id == images.c.id)
    .where(repository_manifests.c.repository_id == bindparam("repository"), IS_IMAGE)
)
_ROW: Final = select(repository_summaries).where(
    repository_summaries.c.repository_id == bindparam("repository")
)
_STALE: Final = (
    select(repository_summaries.c.repository_id)
    .join(repositories, repositories.c.id == repository_summaries.c.repository_id)
    .where(
        repositories.c.registry_id == bindparam("registry"),
        repository_summaries.c.is_stale,
    )
)
_IS_STALE: Final = select(repository_summaries.c.is_stale).where(
    repository_summaries.c.repository_id == bindparam("repository")
)
_SET_STALE: Final = (
    update(repository_summaries)
    .where(repository_summaries.c.repository_id == bindparam("repository"))
    .values(is_stale=bindparam("stale"))
)

_NEWEST: Final = (
    "newest_tag",
    "newest_image_id",
    "newest_platform",
    "newest_by",
    "newest_at",
    "newest_compressed_bytes",
    "newest_uncompressed_bytes",
    "newest_uncompressed_confidence",
    "newest_layers",
    "baseline_compressed_bytes",
    "heaviest_instruction_id",
    "heaviest_compressed_bytes",
)


class _Tag(NamedTuple):
    """A live tag. `target` None: never read."""

    name: str
    target: int | None
    moved_at: datetime | None
    pushed_at: datetime | None
    has_error: bool


class _Headline(NamedTuple):
    """The image that speaks for a target."""

    platform: Platform
    image_id: int
    digest: Digest
    created_at: datetime | None
    compressed_bytes: int
    uncompressed_bytes: int | None
    uncompressed_confidence: Confidence | None
    layers: int


@dataclass(slots=True)
class _Reached:
    """What the live tags lead to: a headline for each target, and the naive sum."""

    headlines: dict[int, _Headline] = field(default_factory=dict)
    referenced_bytes: int = 0


def refresh_summary(
    connection: Connection,
    repository_id: int,
    now: datetime,
    platforms: Sequence[Platform] | None,
) -> None:
    """Bring a repository's row up to date; it is written only if it changed.

    No batch of the repository runs meanwhile: its counts would be written over.
    platforms: in the order in which one of them speaks for an index; None where
        nobody knows any more: what they decide then stays as it is
    """
    lock_repositories(connection, [repository_id])
    summary = summarize(connection, repository_id, now, platforms or (DEFAULT,))
    values = summary.values
    if platforms is None:
        values = {k: v for k, v in values.items() if not is_by_platform(k)}
    _write(connection, repository_id, values, now, is_stale=summary.ripens)


def is_by_platform(column: str) -> bool:
    """Whether the order of platforms decides what the column holds."""
    return column.startswith(("newest_", "baseline_", "heaviest_"))


@dataclass(frozen=True, slots=True)
class Summary:
    """The columns that are made from tags and images, and whether they will change
    by themselves as time goes on."""

    values: Mapping[str, object]
    ripens: bool


def summarize(
    connection: Connection,
    repository_id: int,
    now: datetime,
    platforms: Sequence[Platform],
) -> Summary:
    """Make a repository's row anew, without writing it."""
    rows = connection.execute(_TAGS, {"repository": repository_id})
    live = [_Tag._make(row) for part in rows.partitions(_PIECE) for row in part]
    reached = _reach(connection, live, platforms)
    values: dict[str, object] = {
        "tag_count": len(live),
        "tags_failed": sum(tag.has_error for tag in live),
        "referenced_bytes": bounded(reached.referenced_bytes),
        **_totals(connection, repository_id),
        **_newest(connection, live, reached, now),
    }
    return Summary(values, _ripens(reached, now))


def _ripens(reached: _Reached, now: datetime) -> bool:
    """Whether an image's `created` is in the future, where it does not count yet: the
    row is to be made again when it does, though nothing changes. (Dates beyond a
    year are nobody's clock running ahead.)"""
    soon, late = now + timedelta(days=1), now + timedelta(days=366)
    return any(
        image.created_at is not None and soon < image.created_at < late
        for image in reached.headlines.values()
    )


def refresh_if_stale(
    connection: Connection,
    repository_id: int,
    now: datetime,
    platforms: Sequence[Platform],
) -> bool:
    """`refresh_summary`, if a tag or what it leads to changed since the last one;
    returns whether it did."""
    if not connection.execute(_IS_STALE, {"repository": repository_id}).scalar():
        return False
    refresh_summary(connection, repository_id, now, platforms)
    return True


def stale_repositories(connection: Connection, registry_id: int) -> list[int]:
    """Repositories whose row is behind their tags: facts of theirs came with another
    repository, or a pass over them was stopped."""
    return list(connection.execute(_STALE, {"registry": registry_id}).scalars())


def _reach(
    connection: Connection, live: Sequence[_Tag], platforms: Sequence[Platform]
) -> _Reached:
    counts = Counter(tag.target for tag in live if tag.target is not None)
    targets = sorted(counts)
    reached = _Reached()
    for start in range(0, len(targets), _PIECE):
        piece = targets[start : start + _PIECE]
        graph = load_graph(connection, piece)
        chosen: dict[int, tuple[Platform, int]] = {}
        for target in piece:
            reached.referenced_bytes += counts[target] * graph.stored_bytes_of(target)
            if (found := headline(graph.images_of(target), platforms)) is not None:
                chosen[target] = found
        reached.headlines |= _headlines(connection, chosen)
    return reached


def _headlines(
    connection: Connection, chosen: Mapping[int, tuple[Platform, int]]
) -> dict[int, _Headline]:
    ids = listed({image for _, image in chosen.values()})
    rows = {row[0]: row for row in _IMAGES.read(connection, {"ids": ids})}
    return {
        target: _Headline(platform, *rows[image])
        for target, (platform, image) in chosen.items()
    }


def _totals(connection: Connection, repository_id: int) -> dict[str, object]:
    row = connection.execute(_TOTALS, {"repository": repository_id}).one()
    return {
        "image_count": row.image_count,
        "largest_compressed_bytes": row.largest,
        "weighed_bytes": bounded(sum_of(row, "weighed")),
    }


def _newest(
    connection: Connection, live: Sequence[_Tag], reached: _Reached, now: datetime
) -> Mapping[str, object]:
    headlines = {
        tag.name: found
        for tag in live
        if tag.target is not None and (found := reached.headlines.get(tag.target))
    }
    order = ranked(leading(_candidates(live, headlines)), now)
    if not order:
        return dict.fromkeys(_NEWEST)
    newest = order[0].candidate
    image = headlines[newest.tag]
    return {
        "newest_tag": newest.tag,
        "newest_image_id": image.image_id,
        "newest_platform": str(image.platform),
        "newest_by": order[0].by,
        "newest_at": newest.pushed_at or newest.moved_at or newest.created_at,
        "newest_compressed_bytes": image.compressed_bytes,
        "newest_uncompressed_bytes": image.uncompressed_bytes,
        "newest_uncompressed_confidence": image.uncompressed_confidence,
        "newest_layers": image.layers,
        "baseline_compressed_bytes": baseline(order),
        **_heaviest(connection, image.image_id),
    }


def _candidates(
    live: Sequence[_Tag], headlines: Mapping[str, _Headline]
) -> list[Candidate]:
    return [
        Candidate(
            tag=tag.name,
            digest=image.digest,
            pushed_at=tag.pushed_at,
            moved_at=tag.moved_at,
            created_at=image.created_at,
            compressed_bytes=image.compressed_bytes,
        )
        for tag in live
        if (image := headlines.get(tag.name)) is not None
    ]


def _heaviest(connection: Connection, image_id: int) -> dict[str, object]:
    stored = load_images(connection, [image_id])[image_id]
    line = heaviest_line(weigh_image(stored.image, stored.measured))
    if line is None:
        return {"heaviest_instruction_id": None, "heaviest_compressed_bytes": None}
    return {
        "heaviest_instruction_id": find_instruction(connection, line.instruction),
        "heaviest_compressed_bytes": line.compressed_bytes,
    }


def _write(
    connection: Connection,
    repository_id: int,
    values: Mapping[str, object],
    now: datetime,
    *,
    is_stale: bool,
) -> None:
    stored = connection.execute(_ROW, {"repository": repository_id}).one()._mapping
    if all(stored[name] == value for name, value in values.items()):
        if stored["is_stale"] != is_stale:
            parameters = {"repository": repository_id, "stale": is_stale}
            connection.execute(_SET_STALE, parameters)
        return
    table = repository_summaries.c
    connection.execute(
        update(repository_summaries)
        .where(table.repository_id == repository_id)
        .values(
            **values, is_stale=is_stale, changed_at=now, revision=table.revision + 1
        )
    )
