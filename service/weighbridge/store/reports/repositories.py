"""Repositories: the read model's rows, one or in pages; in which order they are listed,
and which of them a page holds: found in that order, by indexes where there are.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace as replace_fields
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Double,
    Row,
    Select,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    literal_column,
    select,
    tuple_,
    type_coerce,
    union_all,
)

from weighbridge.domain.access.principal import Sight
from weighbridge.domain.report.inventory import Page, RepositoryReport
from weighbridge.errors import UsageError
from weighbridge.store.dialect import Rows, among_ids, listed, where_null
from weighbridge.store.models import (
    blobs,
    images,
    instructions,
    registries,
    repositories,
    repository_summaries,
    storage_scopes,
)
from weighbridge.store.named_rows import columns_of, find_place
from weighbridge.store.paging import (
    NUMBER,
    NUMBER_OR_NONE,
    RATIO_OR_NONE,
    TEXT,
    CursorForm,
    Key,
    check_limit,
    one_of,
    read_cursor,
    write_cursor,
)
from weighbridge.store.reports.inventory import (
    DEDUPLICATED_BYTES,
    EXCLUSIVE_BYTES,
    SHARED_BYTES,
)
from weighbridge.store.reports.search import could_be_in_a_name
from weighbridge.store.reports.violations import violating_ids

LOOKED_THROUGH: Final = 10_000
"""Repositories among which a page looks for a text, however many there are."""
_summary = repository_summaries.c
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
    "deduplicated": DEDUPLICATED_BYTES,
    "shared": SHARED_BYTES,
    "exclusive": EXCLUSIVE_BYTES,
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


Keys: TypeAlias = Select[*tuple[object, ...]]


class RepositoryQuery(Struct, frozen=True):
    """Which repositories, in which order.

    registry: only this one's
    q:        only names that hold this text, literally
    sort:     one of SORTS; rows without a value come last in either order
    cursor:   of the page before, whose order it goes on in, whatever sort and order say
    violating: only those with open violations that nobody waived, or only the others
    team:     only this one's, "" for nobody's: who asks finds out which these are, and
              hands them to `repository_page` as what is seen
    """

    registry: str | None = None
    q: str | None = None
    sort: str = "compressed"
    order: str = "desc"
    violating: bool | None = None
    team: str | None = None
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


class _Key(NamedTuple):
    """A repository, and what the list is sorted by."""

    value: Key
    id: int


def in_order_of_cursor(query: RepositoryQuery) -> RepositoryQuery:
    """The query with the order of its page, which goes on in that of the page before.
    Raises UsageError(invalid_cursor)."""
    return _read_place(query)[0]


def _read_place(query: RepositoryQuery) -> tuple[RepositoryQuery, _Key | None]:
    """The same, and the row after which the page goes on; None for the first page."""
    if query.cursor is None:
        return query, None
    parts = read_cursor(query.cursor, *REPOSITORY_CURSORS)
    _, sort, order, value, number = parts
    in_order = replace(query, sort=f"{sort}", order=f"{order}")
    return in_order, _Key(value, int(number or 0))


def ids_of_page(
    connection: Connection,
    query: RepositoryQuery,
    among: Collection[int] | None = None,
    but: Collection[int] = (),
) -> tuple[list[int], str | None]:
    """The repositories of a page, and the cursor of the next one: those with a value,
    then those without.

    among: only of these, None: of all
    but:   none of these; needed only where `among` is None

    Two statements, so that each can follow an index: where one puts the rows without a
    value last, the database sorts all of them for each page.
    Raises UsageError(invalid_sort, invalid_limit, invalid_cursor).
    """
    check_order(query)
    query, last = _read_place(query)
    limit = check_limit(query.limit)
    if query.q and not could_be_in_a_name(query.q):
        return [], None
    statement = select(registries.c.id, registries.c.name).order_by(registries.c.id)
    if query.registry is not None:
        statement = statement.where(registries.c.name == query.registry)
    of = connection.execute(statement).all()
    if among is not None and not among:
        return [], None
    given = {"among": listed(among or ()), "but": listed(but)}
    found: list[_Key] = []
    for is_known in (True, False):
        if not of or (is_known and last is not None and last.value is None):
            continue
        after = last if last is None or (last.value is not None) is is_known else None
        room = limit + 1 - len(found)
        # Of the others there are enough among so many.
        most = LOOKED_THROUGH if query.q else room + len(but)
        is_among = among is not None
        walk = _walk(query, of, is_known, after, most, is_among=is_among)
        chosen = _chosen(query, walk, leaves_out=bool(but)).limit(room)
        found += map(_Key._make, connection.execute(chosen, given))
        if len(found) > limit:
            return _page(query, found[:limit], found[limit - 1])
        if query.q:
            end = walk.offset(most - 1).limit(1)
            reached = connection.execute(end, given).one_or_none()
            if reached is not None:
                return _page(query, found, _Key._make(reached))
    return _page(query, found, None)


def _page(
    query: RepositoryQuery, found: Sequence[_Key], last: _Key | None
) -> tuple[list[int], str | None]:
    ids = [key.id for key in found]
    if last is None:
        return ids, None
    return ids, write_cursor("repositories", query.sort, query.order, *last)


def _walk(
    query: RepositoryQuery,
    of: Sequence[Row[int, str]],
    is_known: bool,
    last: _Key | None,
    most: int,
    *,
    is_among: bool,
) -> Keys:
    """The first values and ids in order: of each registry by an index, then of all."""
    parts = [
        _part(query, each, is_known, last, is_among=is_among).limit(most) for each in of
    ]
    if len(parts) == 1:
        return parts[0]
    together = union_all(*(part.subquery().select() for part in parts)).subquery()
    return _in_order(query, select(together.c.value, together.c.id)).limit(most)


def _part(
    query: RepositoryQuery,
    of: Row[int, str],
    is_known: bool,
    last: _Key | None,
    *,
    is_among: bool,
) -> Keys:
    """Of one registry."""
    table = repositories if query.sort in OF_REPOSITORIES else repository_summaries
    identity = (
        repositories.c.id
        if table is repositories
        else repository_summaries.c.repository_id
    )
    value = COLUMNS[query.sort]
    # Those that are listed are few, and found by their ids: `+ 0`.
    registry_id = table.c.registry_id + 0 if is_among else table.c.registry_id
    conditions = [registry_id == of.id]
    if table is repositories:
        conditions.append(repositories.c.deleted_at.is_(None))
    if is_among:
        conditions.append(among_ids(identity, "among"))
    conditions.append(_has_value(value) if is_known else value.is_(None))
    shown: ColumnElement[object] | ColumnElement[str] = value
    if query.sort == "name":
        start = f"{of.name}/"
        shown = literal(start) + repositories.c.name
        conditions += _follows_name(query, start, last)
    elif last is not None:
        conditions.append(_follows(query, last, value, identity))
    keys = select(shown.label("value"), identity.label("id")).where(*conditions)
    order = (value if is_known else where_null(value, identity), identity)
    return keys.order_by(*(by.desc() if query.order == "desc" else by for by in order))


def _has_value(value: ColumnElement[object]) -> ColumnElement[bool]:
    """On SQLite an index of expressions finds what is greater, but not what is."""
    if isinstance(value, Column):
        return value.is_not(None)
    return value > literal_column("-9223372036854775807")


def _in_order(query: RepositoryQuery, keys: Keys) -> Keys:
    columns = keys.selected_columns
    if query.order == "desc":
        return keys.order_by(columns.value.desc(), columns.id.desc())
    return keys.order_by(columns.value, columns.id)


def _chosen(query: RepositoryQuery, walk: Keys, *, leaves_out: bool) -> Keys:
    """Those of them that fit the query."""
    if not query.q and not leaves_out:
        return walk
    keys = walk.subquery()
    chosen = select(keys.c.value, keys.c.id)
    if query.q:
        # A probe for each, whatever else a planner would think of.
        name = (
            select(repositories.c.name)
            .where(repositories.c.id == keys.c.id)
            .scalar_subquery()
        )
        chosen = chosen.where(name.icontains(query.q, autoescape=True))
    if leaves_out:
        chosen = chosen.where(~among_ids(keys.c.id, "but"))
    return _in_order(query, chosen)


def _follows(
    query: RepositoryQuery,
    last: _Key,
    value: ColumnElement[object],
    identity: ColumnElement[int],
) -> ColumnElement[bool]:
    """Whether a row comes after this one, among those that have a value as it has."""
    if last.value is None:
        return identity < last.id if query.order == "desc" else identity > last.id
    row = tuple_(value, identity)
    before = tuple_(literal(last.value, value.type), literal(last.id, identity.type))
    return row < before if query.order == "desc" else row > before


def _follows_name(
    query: RepositoryQuery, start: str, last: _Key | None
) -> list[ColumnElement[bool]]:
    """The same by name, among repositories whose registry is named so."""
    if last is None or not isinstance(last.value, str):
        return []
    name = repositories.c.name
    if last.value.startswith(start):
        rest = last.value.removeprefix(start)
        return [name < rest if query.order == "desc" else name > rest]
    # Databases compare texts by their bytes, which is the order of code points.
    is_behind = start < last.value if query.order == "desc" else start > last.value
    return [] if is_behind else [false()]


_repository = repositories.c


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


def repository_page(
    connection: Connection,
    query: RepositoryQuery,
    now: datetime | None = None,
    sight: Sight | None = None,
) -> Page[RepositoryReport]:
    """One page of repositories.

    now:   which waivers are in force; needed where `violating` is asked for
    sight: which repositories are seen, None: all

    Where a text is looked for, a page may hold fewer than the limit, or none, and a
    cursor: further ones are looked for with that.
    Raises UsageError(invalid_sort, invalid_limit, invalid_cursor).
    """
    violating: Collection[int] = ()
    if query.violating is not None and now is not None:
        violating = violating_ids(connection, now)
    among: Collection[int] | None = violating if query.violating else None
    if sight is not None:
        seen = sight.ids if among is None else sight.among(among)
        among = seen.difference(violating) if query.violating is False else seen
    # The page's ids alone first: sorting whole rows of 50,000 repositories takes
    # five times as long.
    but = violating if among is None else ()
    ids, cursor = ids_of_page(connection, query, among, but)
    return Page(tuple(_reports(connection, ids, sight)), cursor)


def find_repository(
    connection: Connection,
    registry: str,
    repository: str,
    sight: Sight | None = None,
) -> RepositoryReport | None:
    """One repository by its full name, also one that is gone; if it is seen."""
    place = find_place(connection, registry, repository)
    if place is None or (sight is not None and place.id not in sight.ids):
        return None
    return _reports(connection, [place.id], sight)[0]


_ENTRIES: Final = select(registries.c.name, registries.c.address)


def _reports(
    connection: Connection, ids: Collection[int], sight: Sight | None
) -> list[RepositoryReport]:
    """The rows of these ids, in the order of the ids.

    A storage scope has the name of its address where several entries have repositories
    there: where these are entries that are seen.
    """
    rows = _ROWS.read(connection, {"ids": listed(ids)})
    found = {
        number: RepositoryReport(**dict(zip(_FIELDS, values, strict=True)))
        for number, *values in rows
    }
    reports = [found[number] for number in ids]
    if sight is None:
        return reports
    addresses = {row.name: row.address for row in connection.execute(_ENTRIES)}
    several = Counter(addresses.get(name) for name in sight.registries)
    return [
        report
        if several[addresses[report.registry]] > 1
        else replace_fields(
            report,
            storage_scope=_under(report, addresses[report.registry]),
        )
        for report in reports
    ]


def _under(report: RepositoryReport, address: str) -> str:
    """Its storage scope under the name of its registry's entry."""
    scope = report.storage_scope
    if scope != address and not scope.startswith(f"{address}/"):
        return scope
    return report.registry + scope.removeprefix(address)
