"""The read model's rows of repositories: made from their tags and live images, and read
by whoever judges them."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import (
    BigInteger,
    Connection,
    RowMapping,
    bindparam,
    func,
    literal_column,
    select,
    update,
)

from weighbridge.domain.growth.newest import baseline, leading, ranked
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.size.confidence import Confidence
from weighbridge.domain.size.weigh_image import pulled_bytes
from weighbridge.store.dialect import BulkUpdate, Rows, among_ids, listed
from weighbridge.store.ledger.expressions import (
    IS_IMAGE,
    LAYER_BYTES,
    exact_sum,
    sized,
    sum_of,
)
from weighbridge.store.models import (
    blobs,
    images,
    layers,
    lines,
    registries,
    repositories,
    repository_manifests,
    repository_summaries,
    tags,
)
from weighbridge.store.models.types import bounded
from weighbridge.store.named_rows import columns_of
from weighbridge.store.read_model.leading_tags import (
    LeadingTags,
    find_leading,
    read_tags,
)
from weighbridge.store.session import lock_repositories
from weighbridge.store.sizes.manifest_sizes import COMPRESSED_BYTES, in_scope
from weighbridge.store.tags.judged_tags import count_over_tags
from weighbridge.store.tags.tag_rows import count_referenced

FEW_TAGS: Final = 200
"""Repositories of so many tags, or fewer, are read together."""


def is_by_platform(column: str) -> bool:
    """Whether the order of platforms decides what the column holds."""
    return column.startswith(("newest_", "baseline_", "heaviest_"))


_NEWEST: Final = tuple(filter(is_by_platform, repository_summaries.c.keys()))
_LAYERS: Final = Rows(
    select(
        layers.c.image_id,
        layers.c.position,
        layers.c.blob_id,
        LAYER_BYTES.label("compressed_bytes"),
    )
    .select_from(
        sized(
            layers.join(blobs, blobs.c.id == layers.c.blob_id),
            bindparam("scope", type_=BigInteger),
        )
    )
    .where(among_ids(layers.c.image_id))
)
_LINES: Final = Rows(
    select(lines.c.image_id, lines.c.entries).where(among_ids(lines.c.image_id))
)
_summary = repository_summaries.c
_TAGS: Final = (
    select(
        tags.c.repository_id,
        func.count().label("tag_count"),
        func.count(tags.c.error_code).label("tags_failed"),
    )
    .where(among_ids(tags.c.repository_id), tags.c.deleted_at.is_(None))
    .group_by(tags.c.repository_id)
)
_NO_TAGS: Final = {"tag_count": 0, "tags_failed": 0}
_TOTALS: Final = (
    select(
        repository_manifests.c.repository_id,
        func.count().label("image_count"),
        func.max(COMPRESSED_BYTES.element).label("largest"),
        *exact_sum(COMPRESSED_BYTES.element, "weighed"),
    )
    .select_from(
        in_scope(
            repository_manifests.join(
                repositories, repositories.c.id == repository_manifests.c.repository_id
            )
            .join(images, images.c.id == repository_manifests.c.manifest_id)
            .join(blobs, blobs.c.id == images.c.id),
            repositories.c.scope_id,
        )
    )
    .where(among_ids(repository_manifests.c.repository_id), IS_IMAGE)
    .group_by(repository_manifests.c.repository_id)
)
_NO_TOTALS: Final = {
    "image_count": 0,
    "largest_compressed_bytes": None,
    "weighed_bytes": 0,
}
_ROWS: Final = (
    select(repository_summaries, repositories.c.scope_id)
    .join(repositories, repositories.c.id == _summary.repository_id)
    .where(among_ids(_summary.repository_id))
    .order_by(_summary.repository_id)
)
_STALE: Final = (
    select(_summary.repository_id)
    .join(repositories, repositories.c.id == _summary.repository_id)
    .where(repositories.c.registry_id == bindparam("registry"), _summary.is_stale)
)
_ARE_STALE: Final = select(_summary.repository_id).where(
    among_ids(_summary.repository_id), _summary.is_stale
)
_MADE: Final = (
    *_NO_TAGS,
    *_NO_TOTALS,
    "referenced_bytes",
    "over_tags",
    *_NEWEST,
)
_PUT: Final = BulkUpdate(
    repository_summaries,
    key=("repository_id",),
    values=(*_MADE, "is_stale", "changed_at"),
    also={
        "is_uncounted": literal_column("false"),
        "revision": _summary.revision + literal_column("1"),
    },
)
_SET_FLAGS: Final = (
    update(repository_summaries)
    .where(among_ids(_summary.repository_id))
    .values(is_stale=bindparam("stale"), is_uncounted=False)
)

_Rows: TypeAlias = Mapping[int, RowMapping]
Summary: TypeAlias = dict[str, Any]
"""Columns that are made from tags and images. `is_stale`: they will change by
themselves as time goes on."""


def refresh_summary(
    connection: Connection,
    repository_id: int,
    now: datetime,
    platforms: Sequence[Platform] | None,
) -> None:
    """Bring a repository's row up to date, all of it counted anew; it is written only
    if it changed.

    No batch of the repository runs meanwhile: its counts would be written over.
    platforms: in the order in which one of them speaks for an index; None where
        nobody knows any more: what they decide then stays as it is
    """
    lock_repositories(connection, [repository_id])
    stored = _stored(connection, [repository_id])
    made = _made(connection, stored, now, platforms or (DEFAULT,), is_anew=True)
    if platforms is None:
        made = {
            number: each | {name: stored[number][name] for name in _NEWEST}
            for number, each in made.items()
        }
    _write(connection, stored, made, now)


def summarize(
    connection: Connection,
    repository_id: int,
    now: datetime,
    platforms: Sequence[Platform],
) -> Summary:
    """Make a repository's row anew, without writing it."""
    stored = _stored(connection, [repository_id])
    return _made(connection, stored, now, platforms, is_anew=True)[repository_id]


def refresh_many(
    connection: Connection,
    repository_ids: Collection[int],
    now: datetime,
    platforms: Sequence[Platform],
) -> set[int]:
    """`refresh_summary` of those of which a tag, or what it leads to, changed since the
    last one; returns these. What batches have counted is not counted again: many tags
    need not be read for the sake of one."""
    ids = {"ids": listed(sorted(repository_ids))}
    stale = set(connection.execute(_ARE_STALE, ids).scalars())
    if not stale:
        return stale
    lock_repositories(connection, stale)
    stored = _stored(connection, stale)
    made = _made(connection, stored, now, platforms, is_anew=False)
    _write(connection, stored, made, now)
    return set(stored)


def stale_repositories(connection: Connection, registry_id: int) -> list[int]:
    """Repositories whose row is behind their tags: facts of theirs came with another
    repository, or a crawl of them was stopped."""
    return list(connection.execute(_STALE, {"registry": registry_id}).scalars())


def _stored(connection: Connection, repository_ids: Collection[int]) -> _Rows:
    """Rows as they are, each with its storage scope."""
    rows = connection.execute(_ROWS, {"ids": listed(sorted(repository_ids))})
    return {row.repository_id: row._mapping for row in rows}


def _made(
    connection: Connection,
    stored: _Rows,
    now: datetime,
    platforms: Sequence[Platform],
    *,
    is_anew: bool,
) -> dict[int, Summary]:
    """is_anew: batches' own counts are made anew, and not taken as they are stored"""
    uncounted: dict[int, int] = {
        number: row["scope_id"]
        for number, row in stored.items()
        if is_anew or row["referenced_bytes"] is None or row["is_uncounted"]
    }
    referenced = count_referenced(connection, uncounted)
    counts = _counts(connection, stored)
    totals = _totals(connection, stored)
    newest = _newest_images(connection, stored, counts, now, platforms)
    return {
        number: {
            **counts[number],
            **totals.get(number, _NO_TOTALS),
            "referenced_bytes": (
                bounded(referenced[number])
                if number in uncounted
                else row["referenced_bytes"]
            ),
            "over_tags": (
                count_over_tags(connection, number) if is_anew else row["over_tags"]
            ),
            **newest[number],
        }
        for number, row in stored.items()
    }


def _counts(
    connection: Connection, repository_ids: Collection[int]
) -> dict[int, dict[str, int]]:
    rows = connection.execute(_TAGS, {"ids": listed(repository_ids)})
    return dict.fromkeys(repository_ids, _NO_TAGS) | {
        number: dict(zip(_NO_TAGS, counts, strict=True)) for number, *counts in rows
    }


def _totals(
    connection: Connection, repository_ids: Collection[int]
) -> dict[int, Mapping[str, object]]:
    rows = connection.execute(_TOTALS, {"ids": listed(repository_ids)})
    return {
        row.repository_id: {
            "image_count": row.image_count,
            "largest_compressed_bytes": row.largest,
            "weighed_bytes": bounded(sum_of(row, "weighed")),
        }
        for row in rows
    }


def _write(
    connection: Connection, stored: _Rows, made: Mapping[int, Summary], now: datetime
) -> None:
    changed: list[tuple[object, ...]] = []
    flagged: dict[bool, list[int]] = {}
    for number, values in made.items():
        row, ripens = stored[number], values["is_stale"]
        if any(row[name] != values[name] for name in _MADE):
            changed.append((number, *(values[n] for n in _MADE), ripens, now))
        elif row["is_stale"] != ripens or row["is_uncounted"]:
            flagged.setdefault(ripens, []).append(number)
    _PUT.set(connection, changed)
    for ripens, numbers in flagged.items():
        connection.execute(_SET_FLAGS, {"ids": listed(numbers), "stale": ripens})


def _newest_images(
    connection: Connection,
    stored: _Rows,
    counts: Mapping[int, Mapping[str, int]],
    now: datetime,
    platforms: Sequence[Platform],
) -> dict[int, Summary]:
    """Of each repository the newest image that its tags lead to, its baseline and
    heaviest line."""
    scopes: dict[int, int] = {number: row["scope_id"] for number, row in stored.items()}
    few = {n: s for n, s in scopes.items() if counts[n]["tag_count"] <= FEW_TAGS}
    tags_of = read_tags(connection, few)
    # Those of few tags are read together, and each of the others alone.
    several = [few, *({n: s} for n, s in scopes.items() if n not in few)]
    newest = {
        number: _newest(found, now)
        for some in several
        for number, found in find_leading(
            connection, some, tags_of, now, platforms
        ).items()
    }
    with_image: dict[int, list[Summary]] = {}
    for number, values in newest.items():
        if values["newest_image_id"] is not None:
            with_image.setdefault(scopes[number], []).append(values)
    for scope_id, several_values in with_image.items():
        ids = {values["newest_image_id"] for values in several_values}
        heaviest = _heaviest(connection, ids, scope_id)
        for values in several_values:
            values |= heaviest.get(values["newest_image_id"], {})
    return newest


def _newest(found: LeadingTags, now: datetime) -> Summary:
    """All but the heaviest line."""
    values: Summary = {**dict.fromkeys(_NEWEST), "is_stale": found.ripens}
    order = ranked(leading(found.candidates, now), now)
    if order:
        newest = order[0].candidate
        platform, image = found.headlines[newest.tag]
        values |= {
            "newest_tag": newest.tag,
            "newest_image_id": image.id,
            "newest_platform": str(platform),
            "newest_by": order[0].by,
            "newest_at": newest.pushed_at or newest.moved_at or newest.created_at,
            "newest_compressed_bytes": image.compressed_bytes,
            "newest_compressed_confidence": image.compressed_confidence,
            "newest_uncompressed_bytes": image.uncompressed_bytes,
            "newest_uncompressed_confidence": image.uncompressed_confidence,
            "newest_layers": image.layers,
            "baseline_compressed_bytes": baseline(order),
        }
    return values


def _heaviest(
    connection: Connection, image_ids: Collection[int], scope_id: int
) -> dict[int, Summary]:
    """Of each image the line with the most compressed bytes, the first of equals;
    nothing where no line has any."""
    parameters = {"ids": listed(image_ids), "scope": scope_id}
    layers_of: dict[int, list[tuple[int, int]]] = {}
    for image_id, _, blob_id, size in sorted(_LAYERS.read(connection, parameters)):
        layers_of.setdefault(image_id, []).append((blob_id, size))
    found: dict[int, Summary] = {}
    for image_id, entries in _LINES.read(connection, {"ids": listed(image_ids)}):
        steps: list[tuple[int, int | None, int | None]] = json.loads(entries)
        weights = pulled_bytes((step[2] for step in steps), layers_of.get(image_id, ()))
        heaviest = max(range(len(steps)), key=lambda n: weights[n] or 0, default=None)
        if heaviest is not None and weights[heaviest]:
            found[image_id] = {
                "heaviest_instruction_id": steps[heaviest][0],
                "heaviest_compressed_bytes": weights[heaviest],
            }
    return found


JUDGED_AT_ONCE: Final = 1_000
"""Repositories that are read to be judged, at once."""


class JudgedRepository(NamedTuple):
    """A repository.

    is_silent:       it came with its registry's first crawl, and since that was
                     complete nothing was pushed to it
    complete_crawls: 0: its first crawl is not over
    limits_mark:     of the limits that its tags were marked by
    over_tags:       how many of its tags are marked as over a limit
    """

    id: int
    scope_id: int
    registry: str
    name: str
    is_silent: bool
    complete_crawls: int
    deduplicated_bytes: int
    newest_tag: str | None
    newest_image_id: int | None
    newest_compressed_bytes: int | None
    newest_uncompressed_bytes: int | None
    newest_uncompressed_confidence: Confidence | None
    newest_layers: int | None
    limits_mark: str
    tag_count: int
    over_tags: int


_JUDGED: Final = (
    select(
        *columns_of(
            JudgedRepository,
            repositories,
            repository_summaries,
            registry=registries.c.name,
        )
    )
    .join_from(repositories, registries, registries.c.id == repositories.c.registry_id)
    .join(
        repository_summaries, repository_summaries.c.repository_id == repositories.c.id
    )
    .order_by(repositories.c.id)
)


_JUDGED_THESE: Final = _JUDGED.where(among_ids(repositories.c.id))


_JUDGED_OF_REGISTRY: Final = Rows(
    _JUDGED.where(
        repositories.c.registry_id == bindparam("registry"),
        repositories.c.id > bindparam("after"),
        # Of others it is not known what is new and what was always there.
        repositories.c.complete_crawls > 0,
    ).limit(JUDGED_AT_ONCE)
)


def find_judged(
    connection: Connection, repository_ids: Collection[int]
) -> list[JudgedRepository]:
    """Without those that were forgotten meanwhile; in the order of their ids."""
    rows = connection.execute(_JUDGED_THESE, {"ids": listed(sorted(repository_ids))})
    return [JudgedRepository._make(row) for row in rows]


def judged_page(
    connection: Connection, registry_id: int, after: int
) -> list[JudgedRepository]:
    """The next ones of a registry behind one of them, at most `JUDGED_AT_ONCE`."""
    parameters = {"registry": registry_id, "after": after}
    rows = _JUDGED_OF_REGISTRY.read(connection, parameters)
    return [JudgedRepository._make(row) for row in rows]
