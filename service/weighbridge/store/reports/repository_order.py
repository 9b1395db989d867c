"""In which order repositories are listed."""

from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace
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
from weighbridge.store.paging import (
    NUMBER,
    NUMBER_OR_NONE,
    RATIO_OR_NONE,
    TEXT,
    CursorForm,
    Key,
    one_of,
    read_cursor,
    write_cursor,
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
_LIST: Final = one_of("repositories")
_ORDERS: Final = one_of("asc", "desc")
_NUMBERS: Final = one_of(*(sort for sort in SORTS if sort not in ("name", "growth")))
# By what is compared: a database refuses to compare a text with a number.
REPOSITORY_CURSORS: Final = (
    CursorForm(_LIST, _NUMBERS, _ORDERS, NUMBER_OR_NONE, NUMBER),
    CursorForm(_LIST, one_of("growth"), _ORDERS, RATIO_OR_NONE, NUMBER),
    CursorForm(_LIST, one_of("name"), _ORDERS, TEXT, NUMBER),
)


class RepositoryQuery(Struct, frozen=True):
    """Which repositories, in which order.

    registry: only this one's
    q:        only names that hold this text, literally
    sort:     one of SORTS; rows without a value come last in either order
    cursor:   of the page before, whose order it goes on in, whatever sort and order say
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


class RepositoryKey(NamedTuple):
    """A repository, and what the list is sorted by."""

    value: Key
    id: int


def write_place(query: RepositoryQuery, last: RepositoryKey) -> str:
    """The cursor of what follows this row."""
    return write_cursor("repositories", query.sort, query.order, *last)


def in_order_of_cursor(query: RepositoryQuery) -> RepositoryQuery:
    """The query with the order of its page. Raises UsageError(invalid_cursor)."""
    return read_place(query)[0]


def read_place(query: RepositoryQuery) -> tuple[RepositoryQuery, RepositoryKey | None]:
    """The query with the order of its cursor, which goes on in the order of the page
    before, and the row after which it does; None for the first page.

    Raises UsageError(invalid_cursor).
    """
    if query.cursor is None:
        return query, None
    parts = read_cursor(query.cursor, *REPOSITORY_CURSORS)
    _, sort, order, value, identity = parts
    in_order = replace(query, sort=f"{sort}", order=f"{order}")
    return in_order, RepositoryKey(value, int(identity or 0))
