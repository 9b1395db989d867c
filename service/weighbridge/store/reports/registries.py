"""Registries with the sums over their repositories."""

from typing import Final, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    ScalarSelect,
    exists,
    func,
    or_,
    select,
)

from weighbridge.domain.report.inventory import RegistryFreshness, RegistryReport
from weighbridge.store.ledger.expressions import STORED_BYTES, exact_sum, sized, sum_of
from weighbridge.store.ledger.registry_sums import (
    SUMS,
    Sums,
    changes_noted,
    registry_totals,
    states_of,
)
from weighbridge.store.models import (
    SUMS_OF_BYTES,
    blobs,
    registries,
    repositories,
    scope_blobs,
    storage_scopes,
)
from weighbridge.store.named_rows import from_row

SQLRow: TypeAlias = Row[*tuple[object, ...]]

_repository = repositories.c
_other_part = storage_scopes.alias("other_part")
_other_entry = registries.alias("other_entry")
_other_blob = scope_blobs.alias("other_blob")
# Nothing, at the cost of a look, where each address has one entry.
_REPEATED: Final = (
    select(registries.c.id, *exact_sum(STORED_BYTES, "repeated"))
    .select_from(
        sized(
            registries.join(
                storage_scopes, storage_scopes.c.registry_id == registries.c.id
            )
            .join(scope_blobs, scope_blobs.c.scope_id == storage_scopes.c.id)
            .join(blobs, blobs.c.id == scope_blobs.c.blob_id),
            storage_scopes.c.id,
        )
    )
    .where(
        registries.c.address.in_(
            select(_other_entry.c.address)
            .group_by(_other_entry.c.address)
            .having(func.count() > 1)
        ),
        scope_blobs.c.sole_repository_id.is_(None),
        exists()
        .where(
            _other_blob.c.blob_id == scope_blobs.c.blob_id,
            _other_blob.c.scope_id == _other_part.c.id,
            _other_part.c.name == storage_scopes.c.name,
            _other_part.c.id < storage_scopes.c.id,
            _other_entry.c.id == _other_part.c.registry_id,
            _other_entry.c.address == registries.c.address,
        )
        .correlate(scope_blobs, storage_scopes, registries),
    )
    .group_by(registries.c.id)
)


def _complete_crawl(order: ColumnElement[object]) -> ScalarSelect[object]:
    # A probe of an index for each registry.
    at = _repository.last_complete_crawl_at
    return (
        select(at)
        .where(
            _repository.registry_id == registries.c.id,
            _repository.deleted_at.is_(None),
            at.is_not(None),
        )
        .order_by(order)
        .limit(1)
        .scalar_subquery()
    )


_LAST: Final = _complete_crawl(_repository.last_complete_crawl_at.desc())
_OLDEST: Final = _complete_crawl(_repository.last_complete_crawl_at.asc())
_ROWS: Final = select(
    registries, _LAST.label("last_success_at"), _OLDEST.label("oldest_crawl_at")
).order_by(registries.c.name)
_FRESHNESS: Final = select(
    registries.c.name,
    registries.c.state,
    registries.c.interval_s,
    _LAST.label("last_success_at"),
).order_by(registries.c.name)
_CRAWLED: Final = select(
    or_(
        exists().where(registries.c.last_discovery_at.is_not(None)),
        exists().where(_repository.deleted_at.is_(None)),
    )
)

_NOTHING: Final[Sums] = dict.fromkeys((*SUMS, *SUMS_OF_BYTES), 0)


def registry_reports(connection: Connection) -> list[RegistryReport]:
    """Every registry, by name. What its repositories share counts once."""
    totals = registry_totals(connection)
    repeated = {
        row.id: sum_of(row, "repeated") for row in connection.execute(_REPEATED)
    }
    return [
        _report(row, totals.get(row.id, _NOTHING), repeated.get(row.id, 0))
        for row in connection.execute(_ROWS)
    ]


def registry_freshness(connection: Connection) -> list[RegistryFreshness]:
    """Every registry, by name, for what has no use for the sums."""
    return [RegistryFreshness(*row) for row in connection.execute(_FRESHNESS)]


def was_crawled(connection: Connection) -> bool:
    """Whether anything of any registry was asked for and answered."""
    return bool(connection.execute(_CRAWLED).scalar_one())


def registry_names(connection: Connection) -> list[str]:
    """The name of every registry: what `registry_reports` would need long for."""
    return list(
        connection.execute(
            select(registries.c.name).order_by(registries.c.name)
        ).scalars()
    )


def _report(row: SQLRow, sums: Sums, repeated_bytes: int) -> RegistryReport:
    is_known = sums["summed_up"] > 0
    return from_row(
        RegistryReport,
        row._mapping,
        storage_scope_kind=row.storage_scope,
        repositories=sums["repositories"],
        repositories_pending=sums["repositories"] - sums["are_crawled"],
        repository_states=states_of(sums),
        removals_held=row.removals_held + sums["tags_held"],
        repositories_held=row.removals_held,
        tags=sums["tags"],
        images=sums["images"] if is_known else None,
        tags_failed=sums["tags_failed"],
        newest_compressed_bytes=sums["newest"] if sums["with_image"] else None,
        referenced_bytes=sums["referenced"] if is_known else None,
        weighed_bytes=sums["weighed"] if is_known else None,
        deduplicated_bytes=sums["deduplicated"] if is_known else None,
        shared_bytes=sums["shared"] if is_known else None,
        exclusive_bytes=sums["exclusive"] if is_known else None,
        repeated_bytes=repeated_bytes,
    )


def snapshot_version(connection: Connection) -> str:
    """A text that changes whenever anything that these reports show has changed."""
    count, revisions = connection.execute(
        select(func.count(), func.coalesce(func.sum(registries.c.revision), 0))
    ).one()
    return f"{count}.{revisions}-{changes_noted(connection)}"
