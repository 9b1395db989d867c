"""Registries with the sums over their repositories."""

from typing import Final, TypeAlias

from sqlalchemy import Connection, Row, func, select

from weighbridge.domain.report import RegistryReport
from weighbridge.store.models import (
    images,
    registries,
    repositories,
    repository_manifests,
    repository_summaries,
)
from weighbridge.store.sums import exact_sum, sum_of

_repository = repositories.c
_summary = repository_summaries.c
_SUMS: Final = (
    select(
        _repository.registry_id,
        func.count().label("repositories"),
        func.count(_repository.last_pass_at).label("looked_at"),
        func.max(_repository.last_complete_pass_at).label("last_success_at"),
        func.min(_repository.last_complete_pass_at).label("oldest_pass_at"),
        func.sum(_summary.tag_count).label("tags"),
        func.sum(_summary.tags_failed).label("tags_failed"),
        func.count(_summary.referenced_bytes).label("summed_up"),
        *exact_sum(_summary.referenced_bytes, "referenced"),
    )
    .join(repository_summaries, _summary.repository_id == _repository.id)
    .group_by(_repository.registry_id)
)
# An image that several repositories hold counts once.
_held = (
    select(_repository.registry_id, repository_manifests.c.manifest_id)
    .join(repositories, _repository.id == repository_manifests.c.repository_id)
    .distinct()
    .subquery()
)
_IMAGES: Final = (
    select(
        _held.c.registry_id,
        func.count().label("images"),
        *exact_sum(images.c.compressed_bytes, "weighed"),
    )
    .join_from(_held, images, images.c.id == _held.c.manifest_id)
    .group_by(_held.c.registry_id)
)
_ROWS: Final = select(registries).order_by(registries.c.name)

SQLRow: TypeAlias = Row[*tuple[object, ...]]


def registry_reports(connection: Connection) -> list[RegistryReport]:
    """Every registry, by name. Images that its repositories share count once."""
    sums = {row.registry_id: row for row in connection.execute(_SUMS)}
    held = {row.registry_id: row for row in connection.execute(_IMAGES)}
    return [
        _report(row, sums.get(row.id), held.get(row.id))
        for row in connection.execute(_ROWS)
    ]


def _report(row: SQLRow, sums: SQLRow | None, held: SQLRow | None) -> RegistryReport:
    is_summed_up = sums is not None and sums.summed_up > 0
    return RegistryReport(
        name=row.name,
        kind=row.kind,
        url=row.url,
        state=row.state,
        state_reason=row.state_reason,
        state_since=row.state_since,
        last_discovery_at=row.last_discovery_at,
        last_success_at=sums.last_success_at if sums else None,
        oldest_pass_at=sums.oldest_pass_at if sums else None,
        interval_s=row.interval_s,
        repositories=sums.repositories if sums else 0,
        repositories_pending=sums.repositories - sums.looked_at if sums else 0,
        tags=sums.tags if sums else 0,
        images=held.images if held else 0,
        tags_failed=sums.tags_failed if sums else 0,
        referenced_bytes=sum_of(sums, "referenced") if sums and is_summed_up else None,
        weighed_bytes=sum_of(held, "weighed") if held else None,
        requests=row.requests,
        bytes_read=row.bytes_read,
    )


def snapshot_version(connection: Connection) -> str:
    """A text that changes whenever anything that these reports show has changed."""
    parts = [
        connection.execute(
            select(func.count(), func.coalesce(func.sum(table.c.revision), 0))
        ).one()
        for table in (registries, repositories, repository_summaries)
    ]
    return "-".join(f"{count}.{revisions}" for count, revisions in parts)
