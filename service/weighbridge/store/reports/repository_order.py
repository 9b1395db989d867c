"""In which order repositories are listed."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    case,
    cast,
    func,
    literal_column,
    type_coerce,
)

from weighbridge.errors import UsageError
from weighbridge.store.models import (
    repositories,
    repository_summaries,
)

_summary = repository_summaries.c
# The ledger's columns hold 0 until the repository is summed up for the first time.
_is_summed_up = _summary.referenced_bytes.is_not(None)
_deduplicated = case((_is_summed_up, _summary.deduplicated_bytes))
_exclusive = case((_is_summed_up, _summary.exclusive_bytes))
# A ratio, as `max_growth` is.
_divided = _summary.newest_compressed_bytes - _summary.baseline_compressed_bytes
_divisor = func.nullif(_summary.baseline_compressed_bytes, literal_column("0"))
# As it stands in its index: `/` of SQLAlchemy adds 0.0 on SQLite.
_growth = type_coerce(
    _divided.op("/", precedence=8)(cast(_divisor, Double)),
    Double,
)
COLUMNS: Final[dict[str, ColumnElement[object]]] = {
    "name": repositories.c.name,  # behind its registry's name
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
    "pass": type_coerce(repositories.c.last_crawl_at, BigInteger),
}
SORTS: Final = tuple(COLUMNS)
"""What a list of repositories may be sorted by: each has an index, of the registry,
this and the repository's id."""
OF_REPOSITORIES: Final = ("name", "pass")
# What a cursor may hold as a value of each sort: a database refuses to compare a text
# with a number.
_VALUE_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "name": (str,),
    "growth": (int, float, type(None)),
}
_NUMBER: Final = (int, type(None))


class RepositoryQuery(Struct, frozen=True):
    """Which repositories, in which order.

    registry: only this one's
    q:        only names that hold this text, literally
    sort:     one of SORTS; rows without a value come last in either order
    violating: only those with open violations that nobody waived, or only the others
    """

    registry: str | None = None
    q: str | None = None
    sort: str = "compressed"
    order: str = "desc"
    violating: bool | None = None
    limit: int = 100
    cursor: str | None = None


def check_order(query: RepositoryQuery) -> None:
    """Raises UsageError(invalid_sort)."""
    if query.sort not in COLUMNS:
        raise UsageError(
            "repositories cannot be sorted by that",
            code="invalid_sort",
            hint=f"sort by one of: {', '.join(SORTS)}",
        )
    if query.order not in ("asc", "desc"):
        raise UsageError(
            "there is no such order", code="invalid_sort", hint="take asc or desc"
        )


def order_name(query: RepositoryQuery) -> str:
    """What the cursors of this list are of."""
    return f"repositories:{query.sort}:{query.order}"


def value_types(query: RepositoryQuery) -> tuple[type, ...]:
    """What a cursor of this list may hold as a value."""
    return _VALUE_TYPES.get(query.sort, _NUMBER)
