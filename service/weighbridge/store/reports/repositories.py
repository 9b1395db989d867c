"""Repositories: the read model's rows, one or in pages."""

from collections.abc import Collection
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, and_, case, exists, func, select

from weighbridge.domain.growth.newest import NewestBy
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.report.inventory import (
    Page,
    RepositoryReport,
    RepositoryState,
)
from weighbridge.domain.size.confidence import CompressedConfidence, Confidence
from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.ledger.blob_expressions import IS_IMAGE
from weighbridge.store.ledger.sums import exact_sum, sum_of
from weighbridge.store.models import (
    blobs,
    images,
    instructions,
    registries,
    repositories,
    repository_manifests,
    repository_summaries,
    storage_scopes,
)
from weighbridge.store.paging import check_limit
from weighbridge.store.reports.repository_keys import page_keys
from weighbridge.store.reports.repository_order import (
    RepositoryQuery,
    check_order,
    read_place,
    write_place,
)
from weighbridge.store.reports.search import could_be_in_a_name
from weighbridge.store.reports.violations import violating_ids
from weighbridge.store.sizes.manifest_sizes import COMPRESSED_BYTES, in_scope

_repository = repositories.c
_summary = repository_summaries.c


class _RepositoryRow(NamedTuple):
    """What `_ROWS` selects, in its order."""

    id: int
    registry: str
    repository: str
    state: RepositoryState
    state_reason: str
    state_since: datetime
    deleted_at: datetime | None
    last_crawl_at: datetime | None
    last_complete_crawl_at: datetime | None
    interval_s: int
    tag_count: int
    image_count: int
    tags_failed: int
    newest_tag: str | None
    newest_digest: Digest | None
    newest_platform: str | None
    newest_by: NewestBy | None
    newest_at: datetime | None
    newest_compressed_bytes: int | None
    newest_compressed_confidence: CompressedConfidence | None
    newest_claimed_bytes: int | None
    newest_uncompressed_bytes: int | None
    newest_uncompressed_confidence: Confidence | None
    newest_layers: int | None
    baseline_compressed_bytes: int | None
    heaviest_instruction: str | None
    heaviest_compressed_bytes: int | None
    largest_compressed_bytes: int | None
    referenced_bytes: int | None
    weighed_bytes: int | None
    kept: str
    scope: str
    deduplicated_bytes: int
    exclusive_bytes: int
    over_tags: int


_others = registries.alias("others")
_theirs = repositories.alias("theirs")
# Several entries of one address hold something: no name of theirs is that of the scope.
_HAS_OTHERS: Final = (
    exists()
    .where(
        _others.c.address == registries.c.address,
        _others.c.id != registries.c.id,
        # One probe of the index of names: PostgreSQL would walk through all of it.
        select(_theirs.c.id)
        .where(_theirs.c.registry_id == _others.c.id)
        .order_by(_theirs.c.registry_id, _theirs.c.name)
        .limit(1)
        .scalar_subquery()
        .is_not(None),
    )
    .correlate(registries)
)
_ROWS: Final = Rows(
    select(
        _repository.id,
        registries.c.name.label("registry"),
        _repository.name.label("repository"),
        _repository.state,
        _repository.state_reason,
        _repository.state_since,
        _repository.deleted_at,
        _repository.last_crawl_at,
        _repository.last_complete_crawl_at,
        registries.c.interval_s,
        _summary.tag_count,
        _summary.image_count,
        _summary.tags_failed,
        _summary.newest_tag,
        blobs.c.digest.label("newest_digest"),
        _summary.newest_platform,
        _summary.newest_by,
        _summary.newest_at,
        _summary.newest_compressed_bytes,
        _summary.newest_compressed_confidence,
        images.c.compressed_bytes.label("newest_claimed_bytes"),
        _summary.newest_uncompressed_bytes,
        _summary.newest_uncompressed_confidence,
        _summary.newest_layers,
        _summary.baseline_compressed_bytes,
        instructions.c.text.label("heaviest_instruction"),
        _summary.heaviest_compressed_bytes,
        _summary.largest_compressed_bytes,
        _summary.referenced_bytes,
        _summary.weighed_bytes,
        case((_HAS_OTHERS, registries.c.address), else_=registries.c.name).label(
            "kept"
        ),
        storage_scopes.c.name.label("scope"),
        _summary.deduplicated_bytes,
        _summary.exclusive_bytes,
        _summary.over_tags,
    )
    .join_from(repositories, registries, registries.c.id == _repository.registry_id)
    .join(repository_summaries, _summary.repository_id == _repository.id)
    .join(storage_scopes, storage_scopes.c.id == _repository.scope_id)
    .outerjoin(blobs, blobs.c.id == _summary.newest_image_id)
    .outerjoin(images, images.c.id == _summary.newest_image_id)
    .outerjoin(instructions, instructions.c.id == _summary.heaviest_instruction_id)
    .where(among_ids(_repository.id))
)
_held = (
    select(
        repository_manifests.c.manifest_id,
        func.min(_repository.scope_id).label("scope_id"),
    )
    .join(repositories, _repository.id == repository_manifests.c.repository_id)
    .where(among_ids(repository_manifests.c.repository_id))
    .group_by(repository_manifests.c.manifest_id)
    .subquery()
)
_WEIGHED: Final = select(
    func.count().label("images"), *exact_sum(COMPRESSED_BYTES.element, "weighed")
).select_from(
    in_scope(
        _held.join(images, images.c.id == _held.c.manifest_id).join(
            blobs, and_(blobs.c.id == images.c.id, IS_IMAGE)
        ),
        _held.c.scope_id,
    )
)


def repository_page(
    connection: Connection, query: RepositoryQuery, now: datetime | None = None
) -> Page[RepositoryReport]:
    """One page of repositories.

    now: which waivers are in force; needed where `violating` is asked for

    Where a text is looked for, a page may hold fewer than the limit, or none, and a
    cursor: further ones are looked for with that.
    Raises UsageError(invalid_sort, invalid_limit, invalid_cursor).
    """
    check_order(query)
    query, before = read_place(query)
    limit = check_limit(query.limit)
    if query.q and not could_be_in_a_name(query.q):
        return Page((), None)
    # The page's ids alone first: sorting whole rows of 50,000 repositories takes
    # five times as long.
    violating: Collection[int] = ()
    if query.violating is not None and now is not None:
        violating = violating_ids(connection, now)
    keys = page_keys(connection, query, before, limit + 1, violating)
    rows = _reports(connection, [key.id for key in keys.found[:limit]])
    last = keys.found[limit - 1] if len(keys.found) > limit else keys.reached
    cursor = None if last is None else write_place(query, last)
    return Page(tuple(rows), cursor)


def find_repository(
    connection: Connection, registry: str, repository: str
) -> RepositoryReport | None:
    """One repository by its full name, also one that is gone."""
    found = connection.execute(
        select(repositories.c.id)
        .join(registries, registries.c.id == repositories.c.registry_id)
        .where(registries.c.name == registry, repositories.c.name == repository)
    ).scalar()
    return None if found is None else _reports(connection, [found])[0]


def weighed(connection: Connection, repository_ids: Collection[int]) -> tuple[int, int]:
    """How many distinct live images these repositories have, and the sum of their
    compressed bytes."""
    row = connection.execute(_WEIGHED, {"ids": listed(repository_ids)}).one()
    return row.images, sum_of(row, "weighed")


def _reports(connection: Connection, ids: Collection[int]) -> list[RepositoryReport]:
    """The rows of these ids, in the order of the ids."""
    rows = map(_RepositoryRow._make, _ROWS.read(connection, {"ids": listed(ids)}))
    found = {row.id: _report(row) for row in rows}
    return [found[identity] for identity in ids]


def _report(row: _RepositoryRow) -> RepositoryReport:
    is_summed_up = row.referenced_bytes is not None
    deduplicated, exclusive = row.deduplicated_bytes, row.exclusive_bytes
    return RepositoryReport(
        registry=row.registry,
        repository=row.repository,
        state=row.state if row.deleted_at is None else "deleted",
        state_reason=row.state_reason,
        state_since=row.deleted_at or row.state_since,
        deleted_at=row.deleted_at,
        last_crawl_at=row.last_crawl_at,
        last_complete_crawl_at=row.last_complete_crawl_at,
        interval_s=row.interval_s,
        tags=row.tag_count,
        images=row.image_count,
        tags_failed=row.tags_failed,
        over_tags=row.over_tags,
        newest_tag=row.newest_tag,
        newest_digest=row.newest_digest,
        newest_platform=row.newest_platform,
        newest_by=row.newest_by,
        newest_at=row.newest_at,
        newest_compressed_bytes=row.newest_compressed_bytes,
        newest_compressed_confidence=row.newest_compressed_confidence,
        newest_claimed_bytes=row.newest_claimed_bytes,
        newest_uncompressed_bytes=row.newest_uncompressed_bytes,
        newest_uncompressed_confidence=row.newest_uncompressed_confidence,
        newest_layers=row.newest_layers,
        baseline_compressed_bytes=row.baseline_compressed_bytes,
        heaviest_instruction=row.heaviest_instruction,
        heaviest_compressed_bytes=row.heaviest_compressed_bytes,
        largest_compressed_bytes=row.largest_compressed_bytes,
        referenced_bytes=row.referenced_bytes,
        weighed_bytes=row.weighed_bytes,
        storage_scope=f"{row.kept}/{row.scope}" if row.scope else row.kept,
        deduplicated_bytes=deduplicated if is_summed_up else None,
        shared_bytes=deduplicated - exclusive if is_summed_up else None,
        exclusive_bytes=exclusive if is_summed_up else None,
    )
