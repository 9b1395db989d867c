"""What becomes series: lean rows of all repositories, or of the chosen ones.

Only the columns that somebody wants are read, a piece at a time, in the order of an
index: 100,000 repositories are neither sorted nor ever in memory together.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Select,
    case,
    or_,
    select,
    type_coerce,
)

from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.models import registries, repositories, repository_summaries

PIECE: Final = 500
_SECOND: Final = 1_000_000  # of the microseconds that times are kept in
_summary = repository_summaries.c
_repository = repositories.c
_is_summed_up = _summary.referenced_bytes.is_not(None)
_newest_at = type_coerce(_summary.newest_at, BigInteger) // _SECOND
_audited_at = type_coerce(_repository.last_complete_crawl_at, BigInteger) // _SECOND
_VALUES: Final[Mapping[str, ColumnElement[int] | ColumnElement[int | None]]] = {
    "compressed": _summary.newest_compressed_bytes,
    "uncompressed": _summary.newest_uncompressed_bytes,
    "baseline": _summary.baseline_compressed_bytes,
    # The ledger's columns hold 0 until the repository was summed up.
    "deduplicated": case((_is_summed_up, _summary.deduplicated_bytes)),
    "exclusive": case((_is_summed_up, _summary.exclusive_bytes)),
    "largest": _summary.largest_compressed_bytes,
    "tags": _summary.tag_count,
    # Known where a push decided, or a tag that moved between two crawls.
    "pushed": case((_summary.newest_by.in_(("pushed", "moved")), _newest_at)),
    "audited": _audited_at,
}


class InventoryRow(NamedTuple):
    """One repository; `values` are those asked for, in that order, times in Unix
    seconds; None is unknown. tag: of its newest image, "" where it has none"""

    registry: str
    repository: str
    platform: str
    tag: str
    values: Sequence[int | None]


def inventory_pieces(
    connection: Connection, values: Sequence[str], ids: Collection[int] | None = None
) -> Iterator[list[InventoryRow]]:
    """Repositories of configured registries that are not gone, by registry and name.

    ids: of these only; None for all
    """
    columns = [_VALUES[name] for name in values]
    statement = (
        select(
            registries.c.name,
            _repository.name,
            _summary.newest_platform,
            _summary.newest_tag,
            *columns,
        )
        .select_from(repositories)
        .join(registries, registries.c.id == _repository.registry_id)
        .join(repository_summaries, _summary.repository_id == _repository.id)
        .where(*is_shown())
        .order_by(_repository.registry_id, _repository.name)
        .execution_options(yield_per=PIECE)
    )
    if ids is not None:
        statement = statement.where(among_ids(_repository.id))
    parameters = {} if ids is None else {"ids": listed(ids)}
    with connection.execute(statement, parameters) as result:
        for part in result.partitions():
            yield [
                InventoryRow(registry, name, platform or "", tag or "", numbers)
                for registry, name, platform, tag, *numbers in part
            ]


def heaviest_ids(connection: Connection, limit: int) -> list[int]:
    """The repositories with the heaviest newest image, then those that hold most for
    themselves; the heaviest first."""
    ranked = _ids().order_by(
        _summary.newest_compressed_bytes.is_(None),
        _summary.newest_compressed_bytes.desc(),
        _summary.exclusive_bytes.desc(),
        _repository.id,
    )
    return list(connection.execute(ranked.limit(limit)).scalars())


def pinned_ids(connection: Connection, patterns: Sequence[str]) -> list[int]:
    """The repositories whose name one of the patterns fits, the heaviest first."""
    if not patterns:
        return []
    # Pieces of one statement: a database limits how long an expression may be.
    found: dict[int, int] = {}
    for start in range(0, len(patterns), _PATTERNS):
        fits = or_(*(name_fits(p) for p in patterns[start : start + _PATTERNS]))
        statement = _ids().add_columns(_summary.newest_compressed_bytes).where(fits)
        found |= {row.id: row[1] or 0 for row in connection.execute(statement)}
    return sorted(found, key=lambda identity: (-found[identity], identity))


_PATTERNS: Final = 100


def _ids() -> Select[int]:
    return (
        select(_repository.id)
        .join(repository_summaries, _summary.repository_id == _repository.id)
        .where(*is_shown())
    )


def is_shown() -> tuple[ColumnElement[bool], ...]:
    """Whether a repository is not gone, and its registry is configured."""
    configured = select(registries.c.id).where(registries.c.state != "unconfigured")
    # `+ 0`: a scan is faster than the index of names, see `registries`.
    registry_id = _repository.registry_id + 0
    return _repository.deleted_at.is_(None), registry_id.in_(configured)


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
