"""Registries with the sums over their repositories."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, TypeAlias, get_args

from sqlalchemy import Connection, Row, exists, func, or_, select

from weighbridge.domain.report import (
    RegistryFreshness,
    RegistryReport,
    RepositoryState,
)
from weighbridge.store.ledger.facts import STORED_BYTES, sized
from weighbridge.store.ledger.sums import exact_sum, sum_of
from weighbridge.store.models import (
    blobs,
    registries,
    repositories,
    repository_summaries,
    scope_blobs,
    storage_scopes,
)
from weighbridge.store.reports.violations import violations_version

_repository = repositories.c
_summary = repository_summaries.c
_STATES: Final[tuple[RepositoryState, ...]] = tuple(
    state for state in get_args(RepositoryState) if state != "gone"
)
# `+ 0` keeps SQLite from walking the index of names, which leads it through the
# table in the order of the alphabet: four times as slow as a plain scan.
_registry_id = (_repository.registry_id + 0).label("registry_id")
# One walk over all repositories answers for all registries: a row a state.
_SUMS: Final = (
    select(
        _registry_id,
        _repository.state,
        func.count().label("repositories"),
        func.count(_repository.last_pass_at).label("looked_at"),
        func.count(_repository.held).label("tags_held"),
        func.max(_repository.last_complete_pass_at).label("last_success_at"),
        func.min(_repository.last_complete_pass_at).label("oldest_pass_at"),
        func.sum(_summary.tag_count).label("tags"),
        func.sum(_summary.tags_failed).label("tags_failed"),
        func.count(_summary.newest_compressed_bytes).label("with_image"),
        func.count(_summary.referenced_bytes).label("summed_up"),
        *exact_sum(_summary.newest_compressed_bytes, "newest"),
        *exact_sum(_summary.referenced_bytes, "referenced"),
        *exact_sum(_summary.exclusive_bytes, "exclusive"),
    )
    .join(repository_summaries, _summary.repository_id == _repository.id)
    .where(_repository.gone_at.is_(None))
    .group_by(_registry_id, _repository.state)
)
_SCOPES: Final = select(
    storage_scopes.c.registry_id,
    func.sum(storage_scopes.c.image_count).label("images"),
    *exact_sum(storage_scopes.c.weighed_bytes, "weighed"),
    *exact_sum(storage_scopes.c.deduplicated_bytes, "deduplicated"),
    *exact_sum(storage_scopes.c.shared_bytes, "shared"),
).group_by(storage_scopes.c.registry_id)
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
_ROWS: Final = select(registries).order_by(registries.c.name)
# Without the read model, a quarter of what the sums take.
_LAST_SUCCESS: Final = (
    select(_registry_id, func.max(_repository.last_complete_pass_at))
    .where(_repository.gone_at.is_(None))
    .group_by(_registry_id)
)
_FRESHNESS: Final = select(
    registries.c.id, registries.c.name, registries.c.state, registries.c.interval_s
).order_by(registries.c.name)
_CRAWLED: Final = select(
    or_(
        exists().where(registries.c.last_discovery_at.is_not(None)),
        exists().where(_repository.gone_at.is_(None)),
    )
)

SQLRow: TypeAlias = Row[*tuple[object, ...]]


def registry_reports(connection: Connection) -> list[RegistryReport]:
    """Every registry, by name. What its repositories share counts once."""
    sums: dict[int, list[SQLRow]] = {}
    for row in connection.execute(_SUMS):
        sums.setdefault(row.registry_id, []).append(row)
    scopes = {row.registry_id: row for row in connection.execute(_SCOPES)}
    repeated = {
        row.id: sum_of(row, "repeated") for row in connection.execute(_REPEATED)
    }
    return [
        _report(row, sums.get(row.id, []), scopes.get(row.id), repeated.get(row.id, 0))
        for row in connection.execute(_ROWS)
    ]


def registry_freshness(connection: Connection) -> list[RegistryFreshness]:
    """Every registry, by name, for what has no use for the sums."""
    last = {number: moment for number, moment in connection.execute(_LAST_SUCCESS)}
    return [
        RegistryFreshness(row.name, row.state, row.interval_s, last.get(row.id))
        for row in connection.execute(_FRESHNESS)
    ]


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


def _report(
    row: SQLRow, sums: list[SQLRow], scope: SQLRow | None, repeated_bytes: int
) -> RegistryReport:
    is_known = scope is not None and any(part.summed_up for part in sums)
    repositories_ = _total(sums, "repositories")
    return RegistryReport(
        name=row.name,
        kind=row.kind,
        url=row.url,
        state=row.state,
        state_reason=row.state_reason,
        state_since=row.state_since,
        last_discovery_at=row.last_discovery_at,
        last_success_at=max(_known(sums, "last_success_at"), default=None),
        oldest_pass_at=min(_known(sums, "oldest_pass_at"), default=None),
        interval_s=row.interval_s,
        storage_scope_kind=row.storage_scope,
        repositories=repositories_,
        repositories_pending=repositories_ - _total(sums, "looked_at"),
        repository_states=_states(sums),
        removals_held=row.removals_held + _total(sums, "tags_held"),
        repositories_held=row.removals_held,
        tags=_total(sums, "tags"),
        images=int(scope.images) if scope and is_known else None,
        tags_failed=_total(sums, "tags_failed"),
        newest_compressed_bytes=_sum(sums, "newest")
        if any(part.with_image for part in sums)
        else None,
        referenced_bytes=_sum(sums, "referenced") if is_known else None,
        weighed_bytes=sum_of(scope, "weighed") if scope and is_known else None,
        deduplicated_bytes=sum_of(scope, "deduplicated")
        if scope and is_known
        else None,
        shared_bytes=sum_of(scope, "shared") if scope and is_known else None,
        exclusive_bytes=_sum(sums, "exclusive") if is_known else None,
        repeated_bytes=repeated_bytes,
        requests=row.requests,
        bytes_read=row.bytes_read,
        rate_limit=row.rate_limit,
        rate_limit_remaining=row.rate_limit_remaining,
        rate_limit_window_s=row.rate_limit_window_s,
        rate_limit_seen_at=row.rate_limit_seen_at,
    )


def _states(sums: Iterable[SQLRow]) -> Mapping[RepositoryState, int]:
    counts = {row.state: int(row.repositories) for row in sums}
    return {state: counts.get(state, 0) for state in _STATES}


def _known(sums: Iterable[SQLRow], name: str) -> list[datetime]:
    return [row._mapping[name] for row in sums if row._mapping[name] is not None]


def _total(sums: Iterable[SQLRow], name: str) -> int:
    # PostgreSQL sums bigints into numerics, which come as Decimal.
    return sum(int(row._mapping[name]) for row in sums)


def _sum(sums: Iterable[SQLRow], name: str) -> int:
    return sum(sum_of(row, name) for row in sums)


def snapshot_version(connection: Connection) -> str:
    """A text that changes whenever anything that these reports show has changed."""
    parts = [
        connection.execute(
            select(func.count(), func.coalesce(func.sum(table.c.revision), 0))
        ).one()
        for table in (registries, storage_scopes, repositories, repository_summaries)
    ]
    sums = "-".join(f"{count}.{revisions}" for count, revisions in parts)
    return f"{sums}-{violations_version(connection)}"
