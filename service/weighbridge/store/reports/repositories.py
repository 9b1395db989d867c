"""Repositories: the read model's rows, one or in pages."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, case, exists, func, select

from weighbridge.domain.report.inventory import (
    Page,
    RepositoryReport,
)
from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.ledger.expressions import IS_IMAGE, exact_sum, sum_of
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
from weighbridge.store.named_rows import columns_of, find_place
from weighbridge.store.reports.inventory import (
    DEDUPLICATED_BYTES,
    EXCLUSIVE_BYTES,
    SHARED_BYTES,
)
from weighbridge.store.reports.repository_order import RepositoryQuery, ids_of_page
from weighbridge.store.reports.violations import violating_ids
from weighbridge.store.sizes.manifest_sizes import COMPRESSED_BYTES, in_scope

_repository = repositories.c
_summary = repository_summaries.c


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
_kept = case((_HAS_OTHERS, registries.c.address), else_=registries.c.name)
_scope = storage_scopes.c.name
_FIELDS: Final = tuple(RepositoryReport.__annotations__)
_ROWS: Final = Rows(
    select(
        _repository.id,
        *columns_of(
            RepositoryReport,
            repository_summaries,
            repositories,
            registry=registries.c.name,
            repository=_repository.name,
            state=case(
                (_repository.deleted_at.is_(None), _repository.state), else_="deleted"
            ),
            state_since=func.coalesce(_repository.deleted_at, _repository.state_since),
            interval_s=registries.c.interval_s,
            tags=_summary.tag_count,
            images=_summary.image_count,
            newest_digest=blobs.c.digest,
            newest_claimed_bytes=images.c.compressed_bytes,
            heaviest_instruction=instructions.c.text,
            storage_scope=_kept + case((_scope == "", _scope), else_="/" + _scope),
            deduplicated_bytes=DEDUPLICATED_BYTES,
            shared_bytes=SHARED_BYTES,
            exclusive_bytes=EXCLUSIVE_BYTES,
        ),
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
    violating: Collection[int] = ()
    if query.violating is not None and now is not None:
        violating = violating_ids(connection, now)
    # The page's ids alone first: sorting whole rows of 50,000 repositories takes
    # five times as long.
    ids, cursor = ids_of_page(connection, query, violating)
    return Page(tuple(_reports(connection, ids)), cursor)


def find_repository(
    connection: Connection, registry: str, repository: str
) -> RepositoryReport | None:
    """One repository by its full name, also one that is gone."""
    place = find_place(connection, registry, repository)
    return None if place is None else _reports(connection, [place.id])[0]


def weighed(connection: Connection, repository_ids: Collection[int]) -> tuple[int, int]:
    """How many distinct live images these repositories have, and the sum of their
    compressed bytes."""
    row = connection.execute(_WEIGHED, {"ids": listed(repository_ids)}).one()
    return row.images, sum_of(row, "weighed")


def _reports(connection: Connection, ids: Collection[int]) -> list[RepositoryReport]:
    """The rows of these ids, in the order of the ids."""
    rows = _ROWS.read(connection, {"ids": listed(ids)})
    found = {
        number: RepositoryReport(**dict(zip(_FIELDS, values, strict=True)))
        for number, *values in rows
    }
    return [found[number] for number in ids]
