"""Bases with what stands on each, in pages, and one base by any of its names.

The numbers are those of `base_summaries`, counted every minute or so.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    func,
    literal,
    select,
    tuple_,
)

from weighbridge.domain.base.names import written
from weighbridge.domain.base.savings import Saving
from weighbridge.domain.image.image_base import ImageBase
from weighbridge.domain.image.reference import Reference, parse_reference
from weighbridge.domain.report.base import BaseReport
from weighbridge.domain.report.inventory import Page
from weighbridge.domain.text.nearest import nearest
from weighbridge.errors import InvalidReference, UsageError
from weighbridge.store.bases.builds_on_base import CountedBase, read_builds
from weighbridge.store.dialect import among_texts, listed
from weighbridge.store.models import (
    base_chains,
    base_names,
    base_repositories,
    base_savings,
    base_summaries,
    platforms,
)
from weighbridge.store.models.types import LARGEST
from weighbridge.store.named_rows import find_place
from weighbridge.store.paging import (
    NUMBER,
    TEXT,
    CursorForm,
    Key,
    check_limit,
    foreign_cursor,
    one_of,
    read_cursor,
    write_cursor,
)
from weighbridge.store.read_model.base_counts import names_of
from weighbridge.store.reports.savings import find_savings

_base = base_summaries.c
_best = base_savings.c
_name = base_names.c
_NUMBERS: Final[Mapping[str, ColumnElement[int]]] = {
    "weighed": _base.weighed_bytes,
    "base": _base.base_bytes,
    "own": _base.own_bytes,
    "stored": _base.stored_bytes,
    "saved": _base.saved_bytes,
    "compressed": base_chains.c.compressed_bytes,
    "images": _base.image_count,
    "outdated": _base.outdated_image_count,
    "repositories": _base.repository_count,
    "rebuild": _base.outdated_newest_count,
}
BASE_SORTS: Final = ("name", *_NUMBERS)
"""What a list of bases may be sorted by. There are some thousands, and no index."""
_LIST: Final = one_of("bases")
_ORDERS: Final = one_of("asc", "desc")
BASE_CURSORS: Final = (
    CursorForm(_LIST, one_of(*_NUMBERS), _ORDERS, NUMBER, NUMBER),
    CursorForm(_LIST, one_of("name"), _ORDERS, TEXT, NUMBER),
    CursorForm(one_of("seen-bases"), one_of(*_NUMBERS), _ORDERS, NUMBER, TEXT),
    CursorForm(one_of("seen-bases"), one_of("name"), _ORDERS, TEXT, TEXT),
)
"""After a base of all, or of those that somebody sees."""
BASE_VALUES: Final[Mapping[str, Callable[[BaseReport], Key]]] = {
    "name": lambda base: base.reference,
    "weighed": lambda base: base.weighed_bytes,
    "base": lambda base: base.base_bytes,
    "own": lambda base: base.own_bytes,
    "stored": lambda base: base.stored_bytes,
    "saved": lambda base: base.saved_bytes,
    "compressed": lambda base: base.compressed_bytes,
    "images": lambda base: base.images,
    "outdated": lambda base: base.outdated_images,
    "repositories": lambda base: base.repositories,
    "rebuild": lambda base: base.outdated_repositories,
}
"""What a list may be sorted by, of what is counted."""
_ROWS: Final = (
    select(
        _base.reference,
        _base.state,
        _base.outdated_since,
        platforms.c.text,
        base_chains.c.layer_count,
        base_chains.c.compressed_bytes,
        _base.image_count,
        _base.outdated_image_count,
        _base.claimed_count,
        _base.repository_count,
        _base.newest_count,
        _base.outdated_newest_count,
        _base.build_count,
        _base.weighed_bytes,
        _base.base_bytes,
        _base.own_bytes,
        _base.stored_bytes,
        _base.saved_bytes,
        _best.variant,
        _best.variant_bytes,
        _best.saved_bytes.label("saved_per_image_bytes"),
        _base.saving_image_count,
        _base.saving_repository_count,
        _base.saved_stored_bytes,
        _base.builds,
        _base.base_chain_id,
        _base.id,
    )
    .outerjoin_from(
        base_summaries, base_chains, base_chains.c.id == _base.base_chain_id
    )
    .outerjoin(platforms, platforms.c.id == base_chains.c.platform_id)
    .outerjoin(base_savings, _best.base_chain_id == _base.saving_chain_id)
)


class BaseQuery(Struct, frozen=True):
    """Which bases, in which order.

    q:        only those whose name holds this text, literally
    outdated: only those that images stand on an older build of, or only the others
    sort:     one of BASE_SORTS; rows without a value come last in either order
    cursor:   of the page before, whose order it goes on in, whatever sort and order say
    team:     only what stands on them of this one's, "" for nobody's: who asks counts
              these alone, see `seen_bases`
    """

    q: str | None = None
    outdated: bool | None = None
    team: str | None = None
    sort: str = "weighed"
    order: str = "desc"
    limit: int = 100
    cursor: str | None = None


class BaseTotals(NamedTuple):
    """Of all bases.

    newest:  repositories whose newest image stands on one that is known
    rebuild: of these, those on an older build of it
    saved_bytes: see `BaseReport`
    """

    bases: int
    newest: int
    rebuild: int
    weighed_bytes: int
    base_bytes: int
    stored_bytes: int
    saved_bytes: int


def base_page(connection: Connection, query: BaseQuery) -> Page[BaseReport]:
    """One page of bases. Raises UsageError(invalid_sort, invalid_limit,
    invalid_cursor)."""
    query, last = _read_place(query, "bases")
    limit = _check(query)
    value = _sorted_by(query)
    statement = _chosen(query).add_columns(value)
    row = tuple_(value, _base.id)
    if last is not None:
        before = tuple_(literal(last[0], value.type), literal(last[1], BigInteger))
        follows = row < before if query.order == "desc" else row > before
        statement = statement.where(follows)
    order = (value, _base.id)
    statement = statement.order_by(
        *(by.desc() if query.order == "desc" else by for by in order)
    )
    rows = connection.execute(statement.limit(limit + 1)).all()
    items = tuple(_report(row) for row in rows[:limit])
    if len(rows) <= limit:
        return Page(items, None)
    *_, number, key = rows[limit - 1]
    return Page(items, write_cursor("bases", query.sort, query.order, key, number))


def _check(query: BaseQuery) -> int:
    """The limit."""
    if query.sort not in BASE_SORTS or query.order not in ("asc", "desc"):
        raise UsageError(
            "bases cannot be sorted by that",
            code="invalid_sort",
            hint=f"sort by one of: {', '.join(BASE_SORTS)}; in the order asc or desc",
        )
    return check_limit(query.limit)


def page_of_seen(bases: Sequence[CountedBase], query: BaseQuery) -> Page[BaseReport]:
    """One page of bases that were counted for somebody. Raises as `base_page`."""
    query, last = _read_place(query, "seen-bases")
    limit = _check(query)
    wanted = (query.q or "").lower()
    chosen = [
        (_value(base.report, query), base.report.reference, base.report)
        for base in bases
        if wanted in base.report.reference.lower()
        and query.outdated in (None, bool(base.report.outdated_images))
    ]
    is_down = query.order == "desc"
    chosen.sort(key=lambda each: each[:2], reverse=is_down)
    if last is not None:
        after: Any = last
        chosen = [c for c in chosen if (c[:2] < after if is_down else c[:2] > after)]
    items = tuple(report for *_, report in chosen[:limit])
    if len(chosen) <= limit:
        return Page(items, None)
    value, reference, _ = chosen[limit - 1]
    cursor = write_cursor("seen-bases", query.sort, query.order, value, reference)
    return Page(items, cursor)


def _value(report: BaseReport, query: BaseQuery) -> Any:
    """What it is sorted by; what is not known comes last."""
    value = BASE_VALUES[query.sort](report)
    missing = -1 if query.order == "desc" else LARGEST
    return missing if value is None else value


def in_base_order(query: BaseQuery) -> BaseQuery:
    """The query with the order of its page, which goes on in that of the page before.
    Raises UsageError(invalid_cursor)."""
    return _read_place(query, None)[0]


def _read_place(
    query: BaseQuery, of: str | None
) -> tuple[BaseQuery, tuple[Key, Key] | None]:
    """of: the list that the cursor is of, None: of either"""
    if query.cursor is None:
        return query, None
    name, sort, order, *place = read_cursor(query.cursor, *BASE_CURSORS)
    if of not in (None, name):
        raise foreign_cursor()
    return replace(query, sort=f"{sort}", order=f"{order}"), (place[0], place[1])


def _sorted_by(query: BaseQuery) -> ColumnElement[object]:
    if query.sort == "name":
        return _base.reference
    # What is not known comes last.
    missing = -1 if query.order == "desc" else LARGEST
    return func.coalesce(_NUMBERS[query.sort], literal(missing, BigInteger))


def _chosen(query: BaseQuery) -> Select[*tuple[object, ...]]:
    statement = _ROWS
    if query.q:
        statement = statement.where(_base.reference.icontains(query.q, autoescape=True))
    if query.outdated is not None:
        is_outdated = func.coalesce(_base.outdated_image_count, 0) > 0
        statement = statement.where(is_outdated if query.outdated else ~is_outdated)
    return statement


def _report(row: Row[*tuple[Any, ...]]) -> BaseReport:
    return BaseReport(*row[: len(BaseReport.__struct_fields__)])


def heaviest_bases(connection: Connection, most: int) -> list[BaseReport]:
    """The crawled bases that most bytes stand on, at most so many."""
    statement = (
        _ROWS.where(_base.build_count.is_not(None))
        .order_by(_base.weighed_bytes.desc(), _base.id)
        .limit(most)
    )
    return [_report(row) for row in connection.execute(statement)]


_TOTALS: Final = select(
    func.count(),
    func.coalesce(func.sum(_base.newest_count), 0),
    func.coalesce(func.sum(_base.outdated_newest_count), 0),
)

_BYTES: Final = select(
    _base.weighed_bytes, _base.base_bytes, _base.stored_bytes, _base.saved_bytes
)


def base_totals(connection: Connection) -> BaseTotals:
    """Of all bases together. An image stands on one of them: nothing counts twice."""
    count, newest, rebuild = connection.execute(_TOTALS).one()
    sums = [0, 0, 0, 0]
    for row in connection.execute(_BYTES):
        sums = [total + (number or 0) for total, number in zip(sums, row, strict=True)]
    return BaseTotals(count, int(newest), int(rebuild), *sums)


def totals_of_seen(bases: Collection[CountedBase]) -> BaseTotals:
    """The same of those that were counted for somebody."""
    reports = [base.report for base in bases]
    return BaseTotals(
        len(reports),
        sum(report.newest_repositories for report in reports),
        sum(report.outdated_repositories or 0 for report in reports),
        sum(report.weighed_bytes for report in reports),
        sum(report.base_bytes or 0 for report in reports),
        sum(report.stored_bytes or 0 for report in reports),
        sum(report.saved_bytes or 0 for report in reports),
    )


_THESE: Final = _ROWS.where(among_texts(_base.reference)).order_by(
    _base.image_count.desc(), _base.id
)
_CALLED: Final = (
    select(_name.base_chain_id, func.count() == func.count(_name.left_at))
    .where(
        _name.host == bindparam("host"),
        _name.repository == bindparam("repository"),
        _name.tag == bindparam("tag"),
    )
    .group_by(_name.base_chain_id)
    .order_by(_name.base_chain_id.desc())
    .limit(1_000)
)
_MARK: Final = select(base_repositories.c.host, base_repositories.c.repository).where(
    base_repositories.c.repository_id == bindparam("repository_id")
)


def find_base(
    connection: Connection,
    ref: str,
    now: datetime,
    among: Collection[CountedBase] | None = None,
) -> CountedBase | None:
    """The base of a name: the one that it is known by, or another tag that leads to a
    build of it, or led there. `python` and `docker.io/library/python:latest` are the
    same, and so is `hub/library/python` where `hub` is a registry.

    among: those that were counted for who asks; None: all
    """
    names = _readings(connection, ref)
    known = [ref, *(written(*name) for name in names)]
    found = _of_names(connection, known, among)
    if found is not None:
        return found
    for host, repository, tag in names:
        parameters = {"host": host, "repository": repository, "tag": tag}
        chains = connection.execute(_CALLED, parameters).all()
        for has_left in (False, True):
            some = [chain for chain, left in chains if bool(left) is has_left]
            called = names_of(connection, some, now).values()
            references = [name.reference for name in called]
            found = _of_names(connection, references, among)
            if found is not None:
                return found
    return None


_FEW: Final = 1_000
_LIKE_IT: Final = 200


def nearest_bases(
    connection: Connection, ref: str, among: Collection[CountedBase] | None = None
) -> list[str]:
    """Of the bases that most stands on, and of those of a repository that is called
    so, the names that are nearest to one that is not known. among: see `find_base`"""
    names = select(_base.reference).order_by(_base.weighed_bytes.desc(), _base.id)
    word = ref.rpartition("/")[2].partition(":")[0]
    called_so = names.where(_base.reference.icontains(word, autoescape=True))
    if among is not None:
        found = [base.report.reference for base in among]
    else:
        found = [
            *connection.execute(names.limit(_FEW)).scalars(),
            *connection.execute(called_so.limit(_LIKE_IT)).scalars(),
        ]
    # What people leave out where they write it.
    short = {name.removeprefix("library/"): name for name in found}
    wanted = ref.removeprefix("docker.io/").removeprefix("library/")
    return [short[name] for name in nearest(wanted, short)]


def _of_names(
    connection: Connection,
    names: Sequence[str],
    among: Collection[CountedBase] | None,
) -> CountedBase | None:
    """Of several bases the one with most images."""
    if among is not None:
        called = [base for base in among if base.report.reference in names]
        return max(called, key=lambda base: base.report.images, default=None)
    row = connection.execute(_THESE, {"names": listed(names)}).first()
    if row is None:
        return None
    return CountedBase(_report(row), read_builds(row.builds), row.base_chain_id)


def savings_of(
    connection: Connection, base: CountedBase, in_part: Collection[str] = ()
) -> list[Saving]:
    """What slimmer variants of a base save each image on it, most first.

    in_part: see `find_savings`
    """
    report, chain = base.report, base.chain
    if chain is None or report.compressed_bytes is None:
        return []
    stood_on = ImageBase(
        report.reference,
        (),
        report.layers,
        report.compressed_bytes,
        None,
        "base",
        "layers",
    )
    return find_savings(connection, {chain: stood_on}, in_part)[chain]


def _readings(connection: Connection, ref: str) -> list[tuple[str, str, str]]:
    """Which tags of which hosts a name may mean."""
    first, slash, _ = ref.partition("/")
    found = []
    for configured in ([frozenset({first})] if slash else []) + [frozenset[str]()]:
        try:
            reference = parse_reference(ref, configured)
        except InvalidReference:
            continue
        if reference.tag is None:
            continue
        host, repository = _as_people_write(connection, reference)
        found.append((host, repository, reference.tag))
    return found


def _as_people_write(connection: Connection, reference: Reference) -> tuple[str, str]:
    """Of a repository that is crawled as a mirror of another the other's name."""
    place = find_place(connection, reference.registry, reference.repository)
    if place is not None:
        mark = connection.execute(_MARK, {"repository_id": place.id}).one_or_none()
        if mark is not None:
            return mark.host, mark.repository
    return reference.registry, reference.repository
