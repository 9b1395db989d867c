"""Repositories: the read model's rows, one or in pages."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Double,
    Row,
    Select,
    and_,
    case,
    cast,
    func,
    or_,
    select,
    type_coerce,
)

from weighbridge.domain.report import Page, RepositoryReport
from weighbridge.errors import UsageError
from weighbridge.store.dialect import among_ids, listed
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
from weighbridge.store.paging import Key, check_limit, read_cursor, write_cursor
from weighbridge.store.reports.names import could_be_in_a_name
from weighbridge.store.sums import exact_sum, sum_of

_summary = repository_summaries.c
# The ledger's columns hold 0 until the repository is summed up for the first time.
_is_summed_up = _summary.referenced_bytes.is_not(None)
_deduplicated = case((_is_summed_up, _summary.deduplicated_bytes))
_exclusive = case((_is_summed_up, _summary.exclusive_bytes))
# A ratio, as `max_growth` is.
_growth = type_coerce(
    (_summary.newest_compressed_bytes - _summary.baseline_compressed_bytes)
    / cast(func.nullif(_summary.baseline_compressed_bytes, 0), Double),
    Double,
)
_COLUMNS: Final[dict[str, ColumnElement[object]]] = {
    "name": registries.c.name + "/" + repositories.c.name,
    "compressed": _summary.newest_compressed_bytes,
    "uncompressed": _summary.newest_uncompressed_bytes,
    "growth": _growth,
    "heaviest": _summary.heaviest_compressed_bytes,
    "largest": _summary.largest_compressed_bytes,
    "layers": _summary.newest_layers,
    "newest": type_coerce(_summary.newest_at, BigInteger),
    "referenced": _summary.referenced_bytes,
    "weighed": _summary.weighed_bytes,
    "deduplicated": _deduplicated,
    "shared": _deduplicated - _exclusive,
    "exclusive": _exclusive,
    "tags": _summary.tag_count,
    "images": _summary.image_count,
    "failed": _summary.tags_failed,
    "pass": type_coerce(repositories.c.last_pass_at, BigInteger),
}
SORTS: Final = tuple(_COLUMNS)
"""What a list of repositories may be sorted by."""
_JOINED: Final = ("name", "pass")
"""Sorts by a column that the read model's table does not have itself."""
# What a cursor may hold as a value of each sort: a database refuses to compare a text
# with a number.
_VALUE_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "name": (str,),
    "growth": (int, float, type(None)),
}
_NUMBER: Final = (int, type(None))

_ROWS: Final = (
    select(
        registries.c.name.label("registry"),
        repositories,
        repository_summaries,
        registries.c.interval_s,
        storage_scopes.c.name.label("scope"),
        blobs.c.digest.label("newest_digest"),
        instructions.c.text.label("heaviest_instruction"),
    )
    .join_from(repositories, registries, registries.c.id == repositories.c.registry_id)
    .join(repository_summaries, _summary.repository_id == repositories.c.id)
    .join(storage_scopes, storage_scopes.c.id == repositories.c.scope_id)
    .outerjoin(blobs, blobs.c.id == _summary.newest_image_id)
    .outerjoin(instructions, instructions.c.id == _summary.heaviest_instruction_id)
    .where(among_ids(repositories.c.id))
)
_held = (
    select(repository_manifests.c.manifest_id)
    .where(among_ids(repository_manifests.c.repository_id))
    .distinct()
    .subquery()
)
_WEIGHED: Final = select(
    func.count().label("images"), *exact_sum(images.c.compressed_bytes, "weighed")
).join_from(_held, images, images.c.id == _held.c.manifest_id)


@dataclass(frozen=True, slots=True)
class RepositoryQuery:
    """Which repositories, in which order.

    registry: only this one's
    q:        only names that hold this text, literally
    sort:     one of SORTS; rows without a value come last in either order
    """

    registry: str | None = None
    q: str | None = None
    sort: str = "compressed"
    order: str = "desc"
    limit: int = 100
    cursor: str | None = None


def repository_page(
    connection: Connection, query: RepositoryQuery
) -> Page[RepositoryReport]:
    """One page of repositories.

    Raises UsageError(invalid_sort, invalid_limit, invalid_cursor).
    """
    _check_sort(query)
    limit = check_limit(query.limit)
    if query.q and not could_be_in_a_name(query.q):
        return Page((), None)
    # The page's ids alone first: sorting whole rows of 50,000 repositories takes
    # five times as long.
    keys = connection.execute(_key_select(query).limit(limit + 1)).all()
    rows = _reports(connection, [key.id for key in keys[:limit]])
    cursor = None
    if len(keys) > limit:
        last = keys[limit - 1]
        cursor = write_cursor(_order_name(query), [last.value, last.id])
    return Page(tuple(rows), cursor)


def _check_sort(query: RepositoryQuery) -> None:
    if query.sort not in _COLUMNS:
        raise UsageError(
            "repositories cannot be sorted by that",
            code="invalid_sort",
            hint=f"sort by one of: {', '.join(SORTS)}",
        )
    if query.order not in ("asc", "desc"):
        raise UsageError(
            "there is no such order", code="invalid_sort", hint="take asc or desc"
        )


def _order_name(query: RepositoryQuery) -> str:
    return f"repositories:{query.sort}:{query.order}"


def _key_select(query: RepositoryQuery) -> Select[*tuple[object, ...]]:
    value, identity = _COLUMNS[query.sort], _summary.repository_id
    keys = select(value.label("value"), identity.label("id"))
    if query.sort in _JOINED:
        keys = keys.join_from(
            repository_summaries, repositories, repositories.c.id == identity
        ).join(registries, registries.c.id == repositories.c.registry_id)
    else:
        keys = keys.select_from(repository_summaries)
    keys = keys.where(identity.in_(_chosen(query)))
    if query.cursor is not None:
        types = (_VALUE_TYPES.get(query.sort, _NUMBER), (int,))
        last = read_cursor(query.cursor, _order_name(query), types)
        keys = keys.where(_after(query, last[0], last[1]))
    if query.order == "desc":
        return keys.order_by(value.is_(None), value.desc(), identity.desc())
    return keys.order_by(value.is_(None), value, identity)


def _chosen(query: RepositoryQuery) -> Select[int]:
    conditions: list[ColumnElement[bool]] = [repositories.c.gone_at.is_(None)]
    if query.registry is not None:
        registry = select(registries.c.id).where(registries.c.name == query.registry)
        # `+ 0`: a scan is faster than the index of names, see `registries`.
        registry_id = repositories.c.registry_id + 0
        conditions.append(registry_id == registry.scalar_subquery())
    if query.q:
        conditions.append(repositories.c.name.icontains(query.q, autoescape=True))
    return select(repositories.c.id).where(*conditions)


def _after(query: RepositoryQuery, last: Key, last_id: Key) -> ColumnElement[bool]:
    """The rows that follow (last, last_id), those without a value at the end."""
    value, identity = _COLUMNS[query.sort], _summary.repository_id
    is_desc = query.order == "desc"
    id_follows = identity < last_id if is_desc else identity > last_id
    if last is None:
        return and_(value.is_(None), id_follows)
    follows = value < last if is_desc else value > last
    return or_(follows, and_(value == last, id_follows), value.is_(None))


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
    rows = connection.execute(_ROWS, {"ids": listed(ids)})
    found = {row.id: _report(row) for row in rows}
    return [found[identity] for identity in ids]


def _report(row: Row[*tuple[object, ...]]) -> RepositoryReport:
    is_summed_up = row.referenced_bytes is not None
    deduplicated, exclusive = row.deduplicated_bytes, row.exclusive_bytes
    return RepositoryReport(
        registry=row.registry,
        repository=row.name,
        state=row.state if row.gone_at is None else "gone",
        state_reason=row.state_reason,
        state_since=row.gone_at or row.state_since,
        gone_at=row.gone_at,
        last_pass_at=row.last_pass_at,
        last_complete_pass_at=row.last_complete_pass_at,
        interval_s=row.interval_s,
        tags=row.tag_count,
        images=row.image_count,
        tags_failed=row.tags_failed,
        newest_tag=row.newest_tag,
        newest_digest=row.newest_digest,
        newest_platform=row.newest_platform,
        newest_by=row.newest_by,
        newest_at=row.newest_at,
        newest_compressed_bytes=row.newest_compressed_bytes,
        newest_uncompressed_bytes=row.newest_uncompressed_bytes,
        newest_uncompressed_confidence=row.newest_uncompressed_confidence,
        newest_layers=row.newest_layers,
        baseline_compressed_bytes=row.baseline_compressed_bytes,
        heaviest_instruction=row.heaviest_instruction,
        heaviest_compressed_bytes=row.heaviest_compressed_bytes,
        largest_compressed_bytes=row.largest_compressed_bytes,
        referenced_bytes=row.referenced_bytes,
        weighed_bytes=row.weighed_bytes,
        storage_scope=f"{row.registry}/{row.scope}" if row.scope else row.registry,
        deduplicated_bytes=deduplicated if is_summed_up else None,
        shared_bytes=deduplicated - exclusive if is_summed_up else None,
        exclusive_bytes=exclusive if is_summed_up else None,
    )
