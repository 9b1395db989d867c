"""The inventory: registries with the sums over their repositories, and the newest
images of all repositories: what becomes series, what limits are tried on, and how many
are above a size.

Of the images only the columns that somebody wants are read, a piece at a time, in the
order of an index: 100,000 repositories are neither sorted nor ever in memory together.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Row,
    ScalarSelect,
    Select,
    case,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    type_coerce,
)

from weighbridge.domain.policy.policy import LimitedNumbers
from weighbridge.domain.policy.simulation import NewestSize, SimulatedImage, Span
from weighbridge.domain.report.inventory import RegistryFreshness, RegistryReport
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.ledger.counts import (
    SUMS,
    Sums,
    changes_noted,
    registry_totals,
    repeated_bytes,
    states_of,
)
from weighbridge.store.ledger.expressions import (
    LAYER_BYTES,
    sized,
)
from weighbridge.store.models import (
    SUMS_OF_BYTES,
    base_summaries,
    blobs,
    layers,
    registries,
    repositories,
    repository_savings,
    repository_summaries,
)
from weighbridge.store.named_rows import from_row

SQLRow: TypeAlias = Row[*tuple[object, ...]]

_repository = repositories.c


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


_LAST_CRAWL: Final = _complete_crawl(_repository.last_complete_crawl_at.desc())
_OLDEST_CRAWL: Final = _complete_crawl(_repository.last_complete_crawl_at.asc())
_REGISTRIES: Final = select(
    registries,
    _LAST_CRAWL.label("last_success_at"),
    _OLDEST_CRAWL.label("oldest_crawl_at"),
).order_by(registries.c.name)
_FRESHNESS: Final = select(
    registries.c.name,
    registries.c.state,
    registries.c.interval_s,
    _LAST_CRAWL.label("last_success_at"),
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
    repeated = Counter[int]()
    for (registry_id, _), part in repeated_bytes(connection).items():
        repeated[registry_id] += part
    return [
        _report(row, totals.get(row.id, _NOTHING), repeated[row.id])
        for row in connection.execute(_REGISTRIES)
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


_BASES_CHANGED: Final = select(
    func.count(), func.max(type_coerce(base_summaries.c.changed_at, BigInteger))
)


def snapshot_version(connection: Connection) -> str:
    """A text that changes whenever anything that these reports show has changed."""
    count, revisions = connection.execute(
        select(func.count(), func.coalesce(func.sum(registries.c.revision), 0))
    ).one()
    of_bases = bases_version(connection)
    return f"{count}.{revisions}-{changes_noted(connection)}-{of_bases}"


def bases_version(connection: Connection) -> str:
    """The same of what stands on bases."""
    bases, changed_at = connection.execute(_BASES_CHANGED).one()
    return f"{bases}.{changed_at or 0}"


_PIECE: Final = 500
_PATTERNS: Final = 100
_SECOND: Final = 1_000_000  # of the microseconds that times are kept in
_summary = repository_summaries.c
_size = _summary.newest_compressed_bytes
_is_summed_up = _summary.referenced_bytes.is_not(None)
# The ledger's columns hold 0 until the repository was summed up.
DEDUPLICATED_BYTES: Final = case((_is_summed_up, _summary.deduplicated_bytes))
EXCLUSIVE_BYTES: Final = case((_is_summed_up, _summary.exclusive_bytes))
SHARED_BYTES: Final = DEDUPLICATED_BYTES - EXCLUSIVE_BYTES
_newest_at = type_coerce(_summary.newest_at, BigInteger) // _SECOND
_audited_at = type_coerce(_repository.last_complete_crawl_at, BigInteger) // _SECOND
_VALUES: Final[Mapping[str, ColumnElement[int] | ColumnElement[int | None]]] = {
    "compressed": _size,
    "uncompressed": _summary.newest_uncompressed_bytes,
    "baseline": _summary.baseline_compressed_bytes,
    "deduplicated": DEDUPLICATED_BYTES,
    "exclusive": EXCLUSIVE_BYTES,
    "largest": _summary.largest_compressed_bytes,
    "tags": _summary.tag_count,
    # Known where a push decided, or a tag that moved between two crawls.
    "pushed": case((_summary.newest_by.in_(("pushed", "moved")), _newest_at)),
    "audited": _audited_at,
    # Where the newest image is the one that it was counted of.
    "saving": select(repository_savings.c.saved_bytes)
    .where(
        repository_savings.c.repository_id == _summary.repository_id,
        repository_savings.c.image_id == _summary.newest_image_id,
    )
    .correlate(repository_summaries)
    .scalar_subquery(),
}
_LIMITED: Final[Mapping[str, ColumnElement[Any]]] = {
    "compressed_bytes": _size,
    "uncompressed_bytes": _summary.newest_uncompressed_bytes,
    "layers": _summary.newest_layers,
    "baseline_compressed_bytes": _summary.baseline_compressed_bytes,
    "deduplicated_bytes": DEDUPLICATED_BYTES,
}
_LARGEST_LAYER: Final = (
    select(func.max(LAYER_BYTES))
    .select_from(
        sized(layers.join(blobs, blobs.c.id == layers.c.blob_id), _repository.scope_id)
    )
    .where(layers.c.image_id == _summary.newest_image_id)
    .correlate(repository_summaries, repositories)
    .scalar_subquery()
)

Query: TypeAlias = Select[*tuple[Any, ...]]


class InventoryRow(NamedTuple):
    """One repository; `values` are those asked for, in that order, times in Unix
    seconds; None is unknown. tag: of its newest image, "" where it has none"""

    registry: str
    repository: str
    platform: str
    tag: str
    values: Sequence[int | None]


class SizeCounts(Struct, frozen=True):
    """Of the repositories that are not gone, in registries that are configured.

    known:    how many have a newest image whose size is known
    heaviest: the largest of these sizes, None where none is known
    above:    how many are heavier than each limit
    """

    repositories: int
    known: int
    heaviest: int | None
    above: Mapping[int, int]

    @property
    def unknown(self) -> int:
        """How many have no newest image, or one whose size is not known."""
        return self.repositories - self.known


def inventory_pieces(
    connection: Connection, values: Sequence[str], ids: Collection[int] | None = None
) -> Iterator[list[InventoryRow]]:
    """Repositories of configured registries that are not gone, by registry and name.

    ids: of these only; None for all
    """
    statement = _by_name(
        _named(
            func.coalesce(_summary.newest_platform, ""),
            func.coalesce(_summary.newest_tag, ""),
            *(_VALUES[name] for name in values),
        )
    )
    if ids is not None:
        statement = statement.where(among_ids(_repository.id))
    parameters = {} if ids is None else {"ids": listed(ids)}
    with connection.execute(statement, parameters) as result:
        for part in result.partitions():
            yield [
                InventoryRow(registry, name, platform, tag, numbers)
                for registry, name, platform, tag, *numbers in part
            ]


def heaviest_ids(connection: Connection, limit: int) -> list[int]:
    """The repositories with the heaviest newest image, then those that hold most for
    themselves; the heaviest first."""
    ranked = _of(_repository.id).order_by(
        _size.is_(None), _size.desc(), _summary.exclusive_bytes.desc(), _repository.id
    )
    return list(connection.execute(ranked.limit(limit)).scalars())


def pinned_ids(connection: Connection, patterns: Sequence[str]) -> list[int]:
    """The repositories whose name one of the patterns fits, the heaviest first."""
    # Pieces of one statement: a database limits how long an expression may be.
    found: dict[int, int] = {}
    for start in range(0, len(patterns), _PATTERNS):
        fits = or_(*(name_fits(p) for p in patterns[start : start + _PATTERNS]))
        statement = _of(_repository.id, func.coalesce(_size, 0)).where(fits)
        found |= {number: size for number, size in connection.execute(statement)}
    return sorted(found, key=lambda number: (-found[number], number))


def newest_images(
    connection: Connection, registry: str | None = None, *, with_layers: bool = False
) -> Iterator[SimulatedImage]:
    """Of every repository that is not gone, by registry and name. Its sizes are None
    where it has no image, or where it is not known.

    with_layers: also how heavy each image's largest layer is, which takes longer
    """
    largest = _LARGEST_LAYER if with_layers else null()
    yield from _simulated(connection, _by_name(_limited(registry, largest)))


def heaviest_newest_images(
    connection: Connection, above_bytes: int, registry: str | None, most: int
) -> list[SimulatedImage]:
    """Those of them that are heavier, compressed; the heaviest first."""
    statement = (
        _limited(registry, null())
        .where(_size > above_bytes)
        .order_by(_size.desc(), _summary.repository_id)
        .limit(most)
    )
    return list(_simulated(connection, statement))


def counts_above(
    connection: Connection, limits: Iterable[int] = (), registry: str | None = None
) -> SizeCounts:
    """All of it in one walk. registry: of this one only."""
    every = list(limits)
    statement = _of(
        func.count(),
        func.count(_size),
        func.max(_size),
        *(func.count(case((_size > limit, 1))) for limit in every),
        registry=registry,
    )
    count, known, heaviest, *above = connection.execute(statement).one()
    return SizeCounts(count, known, heaviest, dict(zip(every, above, strict=True)))


def size_at_rank(
    connection: Connection, rank: int, registry: str | None = None
) -> int | None:
    """The size of the newest image that so many are before, the heaviest first."""
    statement = _of(_size, registry=registry).where(_size.is_not(None))
    ranked = statement.order_by(_size.desc()).offset(rank).limit(1)
    size: int | None = connection.execute(ranked).scalar()
    return size


def newest_sizes(
    connection: Connection,
    within: Sequence[Span],
    registry: str | None = None,
    patterns: Collection[str] = (),
) -> Iterator[NewestSize]:
    """Every newest image whose size is in one of the spans.

    patterns: only of repositories whose name fits one of these; empty: of all
    """
    statement = _named(
        func.coalesce(_summary.newest_tag, ""), _size, registry=registry
    ).where(or_(literal(False), *(_size.between(*span) for span in within)))
    if patterns:
        statement = statement.where(or_(*map(name_fits, sorted(patterns))))
    with connection.execute(statement.execution_options(yield_per=_PIECE)) as result:
        for row in result:
            yield NewestSize._make(row)


def _limited(registry: str | None, largest_layer: ColumnElement[Any]) -> Query:
    # Not `_named`: its `+ 0` keeps SQLite from entering by the registry, and PostgreSQL
    # from knowing how many rows there are.
    statement: Query = (
        select(
            registries.c.name,
            _repository.name,
            _summary.newest_tag,
            _summary.newest_platform,
            _summary.newest_uncompressed_confidence,
            _summary.newest_image_id,
            largest_layer,
            *_LIMITED.values(),
        )
        .select_from(repositories)
        .join(registries, registries.c.id == _repository.registry_id)
        .join(repository_summaries, _summary.repository_id == _repository.id)
        .where(_repository.deleted_at.is_(None), registries.c.state != "unconfigured")
    )
    if registry is not None:
        statement = statement.where(registries.c.name == registry)
    return statement


def _simulated(connection: Connection, statement: Query) -> Iterator[SimulatedImage]:
    with connection.execute(statement) as result:
        for registry, name, tag, platform, confidence, image_id, *rest in result:
            largest, *numbers = rest
            measured = LimitedNumbers(
                largest_layer_compressed_bytes=largest,
                **dict(zip(_LIMITED, numbers, strict=True)),
            )
            is_estimate = confidence == "estimate"
            yield SimulatedImage(
                registry, name, tag, platform, measured, is_estimate, image_id
            )


def _by_name(statement: Query) -> Query:
    return statement.order_by(
        _repository.registry_id, _repository.name
    ).execution_options(yield_per=_PIECE)


def _named(*columns: ColumnElement[Any], registry: str | None = None) -> Query:
    """The same, behind the names of the registry and of the repository."""
    return _of(registries.c.name, _repository.name, *columns, registry=registry).join(
        registries, registries.c.id == _repository.registry_id
    )


def _of(*columns: ColumnElement[Any], registry: str | None = None) -> Query:
    """From the newest images, of one registry or of all."""
    statement: Query = select(*columns).select_from(repositories)
    configured = select(registries.c.id).where(registries.c.state != "unconfigured")
    if registry is not None:
        configured = configured.where(registries.c.name == registry)
    return statement.join(
        repository_summaries, _summary.repository_id == _repository.id
    ).where(
        _repository.deleted_at.is_(None),
        # `+ 0`: a scan is faster than the index of names, see `registries`.
        (_repository.registry_id + 0).in_(configured),
    )


def name_fits(pattern: str) -> ColumnElement[bool]:
    """`domain.text.globs.fits` of a repository's name as SQL: names are lower case, so
    LIKE is exact."""
    return text_fits(_repository.name, pattern)


def text_fits(column: Column[str], pattern: str) -> ColumnElement[bool]:
    """The same of any column; on SQLite large and small letters are one to a star."""
    escaped = pattern.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    if "*" not in pattern:
        return column == pattern
    return column.like(escaped.replace("*", "%"), escape="\\")
