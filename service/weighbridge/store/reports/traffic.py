"""Pulls: of repositories by month, and when tags were last pulled; and what each
repository stored in a month, for what that costs."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, TypeAlias

from msgspec import Struct
from sqlalchemy import (
    Connection,
    Integer,
    Row,
    and_,
    bindparam,
    exists,
    func,
    null,
    or_,
    select,
    tuple_,
)

from weighbridge.domain.access.principal import Sight
from weighbridge.domain.report.inventory import Page
from weighbridge.domain.report.traffic import (
    LastPulls,
    TrafficReport,
    UnknownTraffic,
)
from weighbridge.domain.traffic.costs import MonthUse
from weighbridge.domain.traffic.months import (
    MONTH_PATTERN,
    month_name,
    month_of,
    parse_month,
)
from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.models import (
    pull_months,
    registries,
    repositories,
    repository_pulls,
    repository_summaries,
    storage_months,
    tag_pulls,
    tags,
)
from weighbridge.store.paging import (
    NUMBER,
    NUMBER_OR_NONE,
    CursorForm,
    CursorPart,
    check_limit,
    one_of,
    read_cursor,
    write_cursor,
)
from weighbridge.store.traffic.storage_days import unnoted_storage

SQLRow: TypeAlias = Row[*tuple[Any, ...]]
_MONTH: Final = CursorPart(MONTH_PATTERN.strip("^$"), parse_month)
COST_CURSOR: Final = CursorForm(one_of("costs"), _MONTH, NUMBER)
TRAFFIC_CURSOR: Final = CursorForm(one_of("traffic"), _MONTH, NUMBER_OR_NONE, NUMBER)
_repository = repositories.c
_month = pull_months.c
_told = repository_pulls.c
_IS_SHOWN: Final = and_(
    _repository.deleted_at.is_(None), registries.c.state != "unconfigured"
)
# Those with bytes by their index; then those of which something else is known.
_COUNTED: Final = (
    select(_month.high_bytes.label("value"), _month.repository_id.label("id"))
    .join_from(pull_months, repositories, _repository.id == _month.repository_id)
    .join(registries, registries.c.id == _repository.registry_id)
    .where(
        _month.month == bindparam("month"), _month.high_bytes.is_not(None), _IS_SHOWN
    )
    .order_by(_month.high_bytes.desc(), _month.repository_id.desc())
)
_OTHERS: Final = (
    select(_told.pulls.label("value"), _told.repository_id.label("id"))
    .join_from(repository_pulls, repositories, _repository.id == _told.repository_id)
    .join(registries, registries.c.id == _repository.registry_id)
    .where(
        ~exists().where(
            _month.month == bindparam("month"),
            _month.repository_id == _told.repository_id,
            _month.high_bytes.is_not(None),
        ),
        _IS_SHOWN,
    )
    .order_by(_told.pulls.desc(), _told.repository_id.desc())
)
_LAST_PULL: Final = (
    select(func.max(tag_pulls.c.pulled_at))
    .join_from(tags, tag_pulls, tag_pulls.c.tag_id == tags.c.id)
    .where(tags.c.repository_id == _repository.id, tags.c.deleted_at.is_(None))
    .correlate(repositories)
    .scalar_subquery()
)
_COLUMNS: Final = select(
    _repository.id,
    registries.c.name.label("registry"),
    _repository.name.label("repository"),
    _month.month,
    _month.pulls,
    _month.low_bytes,
    _month.high_bytes,
    _month.is_estimate,
    _month.counted_from,
    _month.counted_until,
    _told.counts,
    _told.pulls.label("registry_pulls"),
    _told.window_s,
    _told.seen_at,
).join_from(repositories, registries, registries.c.id == _repository.registry_id)
_ROWS: Final = (
    _COLUMNS.add_columns(_LAST_PULL.label("last_pull_at"))
    .outerjoin(
        pull_months,
        and_(
            _month.repository_id == _repository.id, _month.month == bindparam("month")
        ),
    )
    .outerjoin(repository_pulls, _told.repository_id == _repository.id)
    .where(among_ids(_repository.id))
)
# By the key of the months, whose first part is the month: a probe for each. The last
# pull is of no month.
_OF_ONE: Final = (
    _COLUMNS.add_columns(null().label("last_pull_at"))
    .join(pull_months, _month.repository_id == _repository.id)
    .join(repository_pulls, _told.repository_id == _repository.id)
    .where(_repository.id == bindparam("repository"), among_ids(_month.month, "months"))
    .order_by(_month.month.desc())
)


class TrafficQuery(Struct, frozen=True):
    """Which repositories, those first of which the most bytes may have been pulled.

    month: see `domain.traffic.months`
    team:  whoever asks finds out what is this one's, and hands it to `traffic_page` as
           what is seen
    """

    month: int
    registry: str | None = None
    repository: str | None = None
    team: str | None = None
    limit: int = 100
    cursor: str | None = None


def traffic_page(
    connection: Connection, query: TrafficQuery, sight: Sight | None = None
) -> Page[TrafficReport]:
    """One page: those with bytes, the most first, then those of which the registry
    tells pulls without; of others nothing is told. A cursor goes on in its own month.

    sight: which repositories are seen, None: all
    Raises UsageError(invalid_limit, invalid_cursor).
    """
    limit, month = check_limit(query.limit), query.month
    value: int | None = None
    last: int | None = None
    is_behind = False
    if query.cursor is not None:
        _, *place = read_cursor(query.cursor, TRAFFIC_CURSOR)
        month, value, last = (None if n is None else int(n) for n in place)  # type: ignore[assignment]  # the form has a month
        is_behind = value is None
    given: dict[str, object] = {"month": month}
    if sight is not None:
        given["seen"] = listed(sorted(sight.ids))
    found: list[tuple[int | None, int]] = []
    if not is_behind:
        statement = _of(query, _COUNTED, sight)
        if last is not None:
            statement = statement.where(
                tuple_(_month.high_bytes, _month.repository_id) < tuple_(value, last)
            )
        rows = connection.execute(statement.limit(limit + 1), given)
        found += [(row.value, row.id) for row in rows]
    if len(found) <= limit:
        statement = _of(query, _OTHERS, sight)
        if is_behind:
            pulls = select(_told.pulls).where(_told.repository_id == last)
            if sight is not None:
                # Else it would tell how many are pulled of what is not seen.
                pulls = pulls.where(among_ids(_told.repository_id, "seen"))
            statement = statement.where(
                tuple_(_told.pulls, _told.repository_id)
                < tuple_(pulls.scalar_subquery(), last)
            )
        room = limit + 1 - len(found)
        rows = connection.execute(statement.limit(room), given)
        found += [(None, row.id) for row in rows]
    shown = found[:limit]
    following = None
    if len(found) > limit:
        following = write_cursor("traffic", month_name(month), *shown[-1])
    ids = [number for _, number in shown]
    return Page(tuple(_reports(connection, ids, month)), following)


def find_traffic(
    connection: Connection, repository_id: int, month: int
) -> TrafficReport:
    """Of one repository."""
    return _reports(connection, [repository_id], month)[0]


def find_months(
    connection: Connection, repository_id: int, last: int, most: int
) -> list[TrafficReport]:
    """Of one repository the months up to the last one of which something is counted,
    so many at most, the latest first; without the time of its last pull."""
    months = listed(range(last - most + 1, last + 1))
    rows = connection.execute(_OF_ONE, {"repository": repository_id, "months": months})
    return [_report(row, row.month) for row in rows]


def _of(query: TrafficQuery, statement: Any, sight: Sight | None) -> Any:
    if sight is not None:
        statement = statement.where(among_ids(_repository.id, "seen"))
    if query.registry is not None:
        statement = statement.where(registries.c.name == query.registry)
    if query.repository is not None:
        statement = statement.where(_repository.name == query.repository)
    return statement


def _reports(connection: Connection, ids: list[int], month: int) -> list[TrafficReport]:
    rows = connection.execute(_ROWS, {"ids": listed(ids), "month": month})
    found = {row.id: _report(row, month) for row in rows}
    return [found[number] for number in ids if number in found]


def _report(row: SQLRow, month: int) -> TrafficReport:
    return TrafficReport(
        row.registry,
        row.repository,
        month_name(month),
        row.pulls,
        row.counts,
        row.low_bytes,
        row.high_bytes,
        _why_unknown(row),
        bool(row.is_estimate),
        row.counted_from,
        row.counted_until,
        row.registry_pulls,
        row.window_s,
        row.seen_at,
        row.last_pull_at,
    )


def _why_unknown(row: SQLRow) -> UnknownTraffic:
    if row.high_bytes is not None:
        return ""
    if row.registry_pulls is None:
        return "not_counted"
    if row.month is None:
        return "first_count"
    return "counter_fell" if row.pulls is None else "size_unknown"


_TAGS: Final = (
    select(tags.c.name, tag_pulls.c.pulled_at)
    .outerjoin_from(tags, tag_pulls, tag_pulls.c.tag_id == tags.c.id)
    .where(tags.c.repository_id == bindparam("repository"), tags.c.deleted_at.is_(None))
    .order_by(tags.c.natural_key, tags.c.name)
)
TAGS_ASKED: Final = 10_000
"""Among so many tags of a registry one is looked for that has the time of a pull."""
_SOME_TAGS: Final = (
    select(tags.c.id)
    .join(repositories, _repository.id == tags.c.repository_id)
    .where(
        _repository.registry_id
        == select(_repository.registry_id)
        .where(_repository.id == bindparam("repository"))
        .correlate(None)
        .scalar_subquery()
    )
    .limit(bindparam("most_tags", type_=Integer))
    .subquery()
)
_IS_TOLD: Final = select(
    exists().where(tag_pulls.c.tag_id == _SOME_TAGS.c.id).select_from(_SOME_TAGS)
)


def last_pulls(
    connection: Connection, repository_id: int, most_tags: int = TAGS_ASKED
) -> LastPulls:
    """When each tag of a repository was last pulled.

    most_tags: where none of its tags has such a time, so many of its registry are asked
               whether times are told there at all
    """
    rows = connection.execute(_TAGS, {"repository": repository_id})
    by_tag: dict[str, datetime | None] = {row.name: row.pulled_at for row in rows}
    is_told = any(by_tag.values()) or bool(
        connection.execute(
            _IS_TOLD, {"repository": repository_id, "most_tags": most_tags}
        ).scalar()
    )
    return LastPulls(is_told, by_tag)


_stored = storage_months.c
_ALL_USES: Final = (
    select(
        _repository.id,
        registries.c.name.label("registry"),
        _repository.name.label("repository"),
        func.coalesce(repository_summaries.c.newest_tag, "").label("tag"),
        _stored.byte_days,
        func.coalesce(_stored.days, 0).label("days"),
        _month.low_bytes,
        _month.high_bytes,
    )
    .join_from(repositories, registries, registries.c.id == _repository.registry_id)
    .join(repository_summaries, repository_summaries.c.repository_id == _repository.id)
    .outerjoin(
        storage_months,
        and_(
            _stored.repository_id == _repository.id,
            _stored.month == bindparam("month"),
        ),
    )
    .outerjoin(
        pull_months,
        and_(
            _month.repository_id == _repository.id, _month.month == bindparam("month")
        ),
    )
    .where(
        registries.c.state != "unconfigured",
        or_(_repository.deleted_at.is_(None), _stored.days > 0, _month.month > 0),
    )
)
_USES: Final = Rows(_ALL_USES)
_USES_OF_ONE: Final = Rows(
    _ALL_USES.where(registries.c.name == bindparam("registry_name"))
)


def month_uses(
    connection: Connection, month: int, now: datetime, registry: str | None = None
) -> Iterator[MonthUse]:
    """Of every repository, in no order; of what is deleted where it stored something
    then. Of this month with today, whether it is noted already or not.

    registry: of this one only
    """
    names = select(registries.c.id)
    if registry is not None:
        names = names.where(registries.c.name == registry)
    today = dict[int, tuple[int, int]]()
    if month == month_of(now):
        for number in connection.execute(names).scalars().all():
            for day in unnoted_storage(connection, number, now):
                today[day.repository_id] = (day.byte_days, day.days)
    uses = _USES if registry is None else _USES_OF_ONE
    parameters = {"month": month, "registry_name": registry}
    if registry is None:
        del parameters["registry_name"]
    for number, named, name, tag, byte_days, days, low, high in uses.read(
        connection, parameters
    ):
        if number in today:
            byte_days, days = today[number]
        yield MonthUse(named, name, tag, byte_days, days, low, high)
