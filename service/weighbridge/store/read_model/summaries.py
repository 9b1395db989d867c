"""The read model's rows of repositories: made from their tags and live images."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from msgspec import Struct
from sqlalchemy import (
    Connection,
    RowMapping,
    bindparam,
    func,
    literal_column,
    select,
    update,
)

from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.store.dialect import BulkUpdate, among_ids, listed
from weighbridge.store.ledger.blob_expressions import IS_IMAGE
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
from weighbridge.store.models.types import bounded
from weighbridge.store.read_model.newest_image import (
    NEWEST_COLUMNS,
    Tagged,
    find_newest_images,
    is_by_platform,
)
from weighbridge.store.sizes.manifest_sizes import COMPRESSED_BYTES, in_scope
from weighbridge.store.tags.over_tags import count_over_tags
from weighbridge.store.tags.referenced import count_referenced

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
    *NEWEST_COLUMNS,
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


class Summary(Struct, frozen=True):
    """The columns that are made from tags and images, and whether they will change
    by themselves as time goes on."""

    values: Mapping[str, object]
    ripens: bool


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
    made = _counted_anew(connection, stored, now, platforms or (DEFAULT,))
    if platforms is None:
        made = {number: _kept(stored[number], each) for number, each in made.items()}
    _write(connection, stored, made, now)


def summarize(
    connection: Connection,
    repository_id: int,
    now: datetime,
    platforms: Sequence[Platform],
) -> Summary:
    """Make a repository's row anew, without writing it."""
    stored = _stored(connection, [repository_id])
    return _counted_anew(connection, stored, now, platforms)[repository_id]


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
    referenced = {number: row["referenced_bytes"] for number, row in stored.items()}
    uncounted = {
        number: row
        for number, row in stored.items()
        if row["referenced_bytes"] is None or row["is_uncounted"]
    }
    referenced |= _referenced(connection, uncounted)
    _write(
        connection, stored, _made(connection, stored, now, platforms, referenced), now
    )
    return set(stored)


def stale_repositories(connection: Connection, registry_id: int) -> list[int]:
    """Repositories whose row is behind their tags: facts of theirs came with another
    repository, or a crawl of them was stopped."""
    return list(connection.execute(_STALE, {"registry": registry_id}).scalars())


def _stored(connection: Connection, repository_ids: Collection[int]) -> _Rows:
    """Rows as they are, each with its storage scope."""
    rows = connection.execute(_ROWS, {"ids": listed(sorted(repository_ids))})
    return {row.repository_id: row._mapping for row in rows}


def _counted_anew(
    connection: Connection, stored: _Rows, now: datetime, platforms: Sequence[Platform]
) -> dict[int, Summary]:
    referenced = _referenced(connection, stored)
    made = _made(connection, stored, now, platforms, referenced)
    return {
        number: Summary(
            {**each.values, "over_tags": count_over_tags(connection, number)},
            each.ripens,
        )
        for number, each in made.items()
    }


def _referenced(connection: Connection, stored: _Rows) -> dict[int, int]:
    scopes: dict[int, int] = {n: row["scope_id"] for n, row in stored.items()}
    found = count_referenced(connection, scopes)
    return {number: bounded(total) for number, total in found.items()}


def _made(
    connection: Connection,
    stored: _Rows,
    now: datetime,
    platforms: Sequence[Platform],
    referenced: Mapping[int, int],
) -> dict[int, Summary]:
    counts = _counts(connection, stored)
    totals = _totals(connection, stored)
    tagged = {
        number: Tagged(row["scope_id"], counts.get(number, _NO_TAGS)["tag_count"])
        for number, row in stored.items()
    }
    newest = find_newest_images(connection, tagged, now, platforms)
    return {
        number: Summary(
            {
                **counts.get(number, _NO_TAGS),
                **totals.get(number, _NO_TOTALS),
                "referenced_bytes": referenced[number],
                "over_tags": row["over_tags"],
                **newest[number].values,
            },
            newest[number].ripens,
        )
        for number, row in stored.items()
    }


def _counts(
    connection: Connection, repository_ids: Collection[int]
) -> dict[int, dict[str, int]]:
    rows = connection.execute(_TAGS, {"ids": listed(repository_ids)})
    return {
        row.repository_id: {"tag_count": row.tag_count, "tags_failed": row.tags_failed}
        for row in rows
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


def _kept(stored: RowMapping, made: Summary) -> Summary:
    """With what the order of platforms decides as it is."""
    values = {n: stored[n] if is_by_platform(n) else v for n, v in made.values.items()}
    return Summary(values, made.ripens)


def _write(
    connection: Connection, stored: _Rows, made: Mapping[int, Summary], now: datetime
) -> None:
    changed: list[tuple[object, ...]] = []
    flagged: dict[bool, list[int]] = {}
    for number, summary in made.items():
        row, values, ripens = stored[number], summary.values, summary.ripens
        if any(row[name] != values[name] for name in _MADE):
            changed.append((number, *(values[n] for n in _MADE), ripens, now))
        elif row["is_stale"] != ripens or row["is_uncounted"]:
            flagged.setdefault(ripens, []).append(number)
    _PUT.set(connection, changed)
    for ripens, numbers in flagged.items():
        connection.execute(_SET_FLAGS, {"ids": listed(numbers), "stale": ripens})
