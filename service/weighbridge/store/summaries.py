"""The read model's row of one repository: made from its tags and live images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, RowMapping, bindparam, func, select, update

from weighbridge.domain.platform import DEFAULT, Platform
from weighbridge.store.image_weights import COMPRESSED_BYTES, in_scope
from weighbridge.store.ledger.facts import IS_IMAGE
from weighbridge.store.ledger.referenced import count_referenced
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
from weighbridge.store.newest_image import find_newest_image, is_by_platform
from weighbridge.store.over_tags import count_over_tags
from weighbridge.store.types import bounded

_TAGS: Final = select(
    func.count().label("tag_count"),
    func.count(tags.c.error_code).label("tags_failed"),
).where(tags.c.repository_id == bindparam("repository"), tags.c.gone_at.is_(None))
_TOTALS: Final = (
    select(
        func.count().label("image_count"),
        func.max(COMPRESSED_BYTES.element).label("largest"),
        *exact_sum(COMPRESSED_BYTES.element, "weighed"),
    )
    .select_from(
        in_scope(
            repository_manifests.join(
                images, images.c.id == repository_manifests.c.manifest_id
            ).join(blobs, blobs.c.id == images.c.id),
            select(repositories.c.scope_id)
            .where(repositories.c.id == bindparam("repository"))
            .scalar_subquery(),
        )
    )
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
_SET_FLAGS: Final = (
    update(repository_summaries)
    .where(repository_summaries.c.repository_id == bindparam("repository"))
    .values(is_stale=bindparam("stale"), is_uncounted=False)
)


@dataclass(frozen=True, slots=True)
class Summary:
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
    summary = summarize(connection, repository_id, now, platforms or (DEFAULT,))
    values = summary.values
    if platforms is None:
        values = {k: v for k, v in values.items() if not is_by_platform(k)}
    stored = _stored(connection, repository_id)
    _write(connection, stored, values, now, is_stale=summary.ripens)


def summarize(
    connection: Connection,
    repository_id: int,
    now: datetime,
    platforms: Sequence[Platform],
) -> Summary:
    """Make a repository's row anew, without writing it."""
    referenced = bounded(count_referenced(connection, repository_id))
    made = _made(connection, repository_id, now, platforms, referenced)
    over = {"over_tags": count_over_tags(connection, repository_id)}
    return replace(made, values={**made.values, **over})


def refresh_if_stale(
    connection: Connection,
    repository_id: int,
    now: datetime,
    platforms: Sequence[Platform],
) -> bool:
    """`refresh_summary`, if a tag or what it leads to changed since the last one;
    returns whether it did. What batches have counted is not counted again: many tags
    need not be read for the sake of one."""
    if not connection.execute(_IS_STALE, {"repository": repository_id}).scalar():
        return False
    lock_repositories(connection, [repository_id])
    stored = _stored(connection, repository_id)
    referenced = stored["referenced_bytes"]
    if referenced is None or stored["is_uncounted"]:
        referenced = bounded(count_referenced(connection, repository_id))
    summary = _made(connection, repository_id, now, platforms, referenced)
    _write(connection, stored, summary.values, now, is_stale=summary.ripens)
    return True


def stale_repositories(connection: Connection, registry_id: int) -> list[int]:
    """Repositories whose row is behind their tags: facts of theirs came with another
    repository, or a pass over them was stopped."""
    return list(connection.execute(_STALE, {"registry": registry_id}).scalars())


def _made(
    connection: Connection,
    repository_id: int,
    now: datetime,
    platforms: Sequence[Platform],
    referenced_bytes: int,
) -> Summary:
    counts = connection.execute(_TAGS, {"repository": repository_id}).one()
    newest = find_newest_image(connection, repository_id, now, platforms)
    values: dict[str, object] = {
        **counts._mapping,
        "referenced_bytes": referenced_bytes,
        **_totals(connection, repository_id),
        **newest.values,
    }
    return Summary(values, newest.ripens)


def _totals(connection: Connection, repository_id: int) -> dict[str, object]:
    row = connection.execute(_TOTALS, {"repository": repository_id}).one()
    return {
        "image_count": row.image_count,
        "largest_compressed_bytes": row.largest,
        "weighed_bytes": bounded(sum_of(row, "weighed")),
    }


def _stored(connection: Connection, repository_id: int) -> RowMapping:
    return connection.execute(_ROW, {"repository": repository_id}).one()._mapping


def _write(
    connection: Connection,
    stored: RowMapping,
    values: Mapping[str, object],
    now: datetime,
    *,
    is_stale: bool,
) -> None:
    repository_id = stored["repository_id"]
    if all(stored[name] == value for name, value in values.items()):
        if stored["is_stale"] != is_stale or stored["is_uncounted"]:
            parameters = {"repository": repository_id, "stale": is_stale}
            connection.execute(_SET_FLAGS, parameters)
        return
    table = repository_summaries.c
    connection.execute(
        update(repository_summaries)
        .where(table.repository_id == repository_id)
        .values(
            **values,
            is_stale=is_stale,
            is_uncounted=False,
            changed_at=now,
            revision=table.revision + 1,
        )
    )
