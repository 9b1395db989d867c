"""Crawls: what each crawl of a repository did, newest first; and what waits to be
crawled: of registries, and why a repository does.

Every question about what waits goes by an index of what is due or in hand, and counts
no further than a bound: it costs the same however large the inventory is.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    func,
    literal,
    literal_column,
    not_,
    select,
    true,
    tuple_,
)

from weighbridge.domain.access.principal import Sight
from weighbridge.domain.report.inventory import (
    CrawlBar,
    JobWaiting,
    Page,
    RegistryWaiting,
    RepositoryCrawlReport,
    RepositoryWaiting,
)
from weighbridge.store.dialect import among_ids, join_in_order, listed
from weighbridge.store.leases.claiming import STARTS, is_free
from weighbridge.store.leases.validity import SLACK, is_leased
from weighbridge.store.models import crawls, jobs, registries, repositories
from weighbridge.store.named_rows import NAMES, from_row
from weighbridge.store.paging import (
    NUMBER,
    CursorForm,
    Key,
    check_limit,
    one_of,
    read_cursor,
    write_cursor,
)
from weighbridge.store.registries.registry_rows import find_registry_id

CRAWL_CURSOR: Final = CursorForm(one_of("crawls"), NUMBER)
_known = repositories.alias("known")
_named_repository = repositories.alias("named_repository")
_named_registry = registries.alias("named_registry")
_CRAWLS: Final = select(crawls, *NAMES).select_from(
    # Newest first, and no more of them than are wanted.
    join_in_order(
        join_in_order(
            crawls, repositories, repositories.c.id == crawls.c.repository_id
        ),
        registries,
        registries.c.id == repositories.c.registry_id,
    )
)


class CrawlQuery(Struct, frozen=True):
    """Which crawls; None: of all. team: whoever asks finds out what is this one's, and
    hands it to `crawl_page` as what is seen"""

    registry: str | None = None
    repository: str | None = None
    team: str | None = None
    limit: int = 100
    cursor: str | None = None


def crawl_page(
    connection: Connection, query: CrawlQuery, sight: Sight | None = None
) -> Page[RepositoryCrawlReport]:
    """One page of crawls. Raises UsageError(invalid_limit, invalid_cursor).

    sight: which repositories are seen, None: all
    """
    limit, registry, repository = query.limit, query.registry, query.repository
    statement = _CRAWLS.limit(check_limit(limit) + 1)
    last = None
    if query.cursor is not None:
        _, last = read_cursor(query.cursor, CRAWL_CURSOR)
    if sight is not None:
        ids = _seen(connection, sight, query, last)
        statement = statement.where(crawls.c.id.in_(ids))
    elif repository is not None:
        named = _named(registry, repository)
        statement = statement.where(crawls.c.repository_id.in_(named))
    if sight is None and registry is not None and repository is None:
        number = find_registry_id(connection, registry) or 0
        statement = _of_registry(statement, number, last)
    elif sight is None and last is not None:
        statement = statement.where(crawls.c.id < last)
    statement = statement.order_by(crawls.c.id.desc())
    rows = connection.execute(statement).all()
    items = tuple(from_row(RepositoryCrawlReport, row._mapping) for row in rows[:limit])
    following = write_cursor("crawls", items[-1].id) if len(rows) > limit else None
    return Page(items, following)


def find_crawl(
    connection: Connection, crawl_id: int, sight: Sight | None = None
) -> RepositoryCrawlReport | None:
    """One crawl by its id, if its repository is seen."""
    row = connection.execute(_CRAWLS.where(crawls.c.id == crawl_id)).one_or_none()
    if row is None or (sight is not None and row.repository_id not in sight.ids):
        return None
    return from_row(RepositoryCrawlReport, row._mapping)


def _seen(
    connection: Connection,
    sight: Sight,
    query: CrawlQuery,
    last: Key,
) -> list[int]:
    """The latest crawls of what is seen, at most one more than is asked for.

    The repositories whose last crawl is among the latest have all of them. So no more
    is read of the crawls of others, nor of those of years.
    """
    registry, repository, most = query.registry, query.repository, query.limit + 1
    given = {"seen": listed(sorted(sight.ids))}
    latest = (
        select(func.max(crawls.c.id))
        .where(crawls.c.repository_id == _known.c.id, *_before(last))
        .correlate(_known)
        .scalar_subquery()
    )
    some = select(_known.c.id, latest.label("latest")).where(
        among_ids(_known.c.id, "seen")
    )
    if repository is not None:
        some = some.where(_known.c.id.in_(_named(registry, repository)))
    elif registry is not None:
        number = find_registry_id(connection, registry) or 0
        some = some.where(_known.c.registry_id + 0 == number)
    heads = some.subquery()
    first = connection.execute(
        select(heads.c.id, heads.c.latest)
        .where(heads.c.latest.is_not(None))
        .order_by(heads.c.latest.desc())
        .limit(most),
        given,
    ).all()
    oldest = first[-1].latest if len(first) == most else 0
    statement = (
        select(crawls.c.id)
        .where(
            among_ids(crawls.c.repository_id, "seen"),
            crawls.c.id >= oldest,
            *_before(last),
        )
        # `+ 0`: not by a walk through the crawls of all.
        .order_by((crawls.c.id + 0).desc())
        .limit(most)
    )
    parameters = {"seen": listed([row.id for row in first])}
    return list(connection.execute(statement, parameters).scalars())


def _before(last: Key) -> list[ColumnElement[bool]]:
    return [] if last is None else [crawls.c.id < last]


def _of_registry(
    statement: Select[*tuple[object, ...]], registry_id: int, last: Key
) -> Select[*tuple[object, ...]]:
    """Not by `=`: it would leave PostgreSQL the choice to walk through all crawls, in
    the order of their ids, for a registry that has few of them."""
    place = crawls.c.registry_id
    behind = tuple_(literal(registry_id, place.type), literal(last, crawls.c.id.type))
    is_next = tuple_(place, crawls.c.id) < behind if last is not None else true()
    return statement.where(place.between(registry_id, registry_id), is_next).order_by(
        place.desc()
    )


def _named(registry: str | None, repository: str) -> Select[int]:
    of = select(_named_registry.c.id)
    if registry is not None:
        of = of.where(_named_registry.c.name == registry)
    # With every registry: an index of names begins with it.
    return select(_named_repository.c.id).where(
        _named_repository.c.registry_id.in_(of),
        _named_repository.c.name == repository,
    )


MOST: Final = 5_000
"""More repositories of a registry are not counted."""

_repository = repositories.c
_IS_THERE: Final = _repository.deleted_at.is_(None)
# As a constant: only so the planners know that the index has them all.
_IS_POISON: Final = _repository.attempts >= literal_column(str(STARTS))
_QUOTA: Final = ("quota_spent", "rate_limited")
_FEW: Final = select(_repository.id, _repository.registry_id).where(_IS_THERE)
Few: TypeAlias = Sequence[Row[int, int]]
"""Repositories with their registries, of which there are never many."""


def registries_waiting(connection: Connection, now: datetime) -> list[RegistryWaiting]:
    """Every registry that is configured, by its name."""
    leased = Counter(row.registry_id for row in _leased(connection, now))
    parked = Counter(row.registry_id for row in _parked(connection, now))
    found = connection.execute(
        select(registries)
        .where(registries.c.state != "unconfigured")
        .order_by(registries.c.name)
    )
    waiting = []
    for row in found:
        is_due = _is_due(row.id, now)
        due, is_away = _bounded(connection, *is_due), row.state == "unreachable"
        later = (_repository.registry_id == row.id, _IS_THERE, _repository.due_at > now)
        report = from_row(
            RegistryWaiting,
            row._mapping,
            registry=row.name,
            due=0 if is_away else due,
            paused=due if is_away else 0,
            leased=leased[row.id],
            put_off=_bounded(connection, *_is_put_off(row, now)),
            parked=parked[row.id],
            oldest_due_at=_first_due(connection, *is_due),
            next_due_at=_first_due(connection, *later),
        )
        waiting.append(report)
    return waiting


def _is_due(registry_id: int, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        _repository.registry_id == registry_id,
        _IS_THERE,
        _repository.due_at <= now,
        is_free(now),
    )


def _is_put_off(
    row: Row[*tuple[Any, ...]], now: datetime
) -> tuple[ColumnElement[bool], ...]:
    """Whatever its crawls come to, a repository is due again after its interval."""
    usual = now + timedelta(seconds=row.interval_s) + SLACK
    return (
        _repository.registry_id == row.id,
        _IS_THERE,
        _repository.due_at > usual,
        is_free(now),
        _repository.attempts < STARTS,
    )


def _leased(connection: Connection, now: datetime) -> Few:
    """Of all registries, as there are few: to have those of one, or in groups, SQLite
    reads all that is due."""
    return connection.execute(
        _FEW.where(_repository.lease_owner.is_not(None), not_(is_free(now)))
    ).all()


def _parked(connection: Connection, now: datetime) -> Few:
    """The same of what ended its process again and again."""
    return connection.execute(
        _FEW.where(_IS_POISON, is_free(now), _repository.due_at > now)
    ).all()


def _bounded(connection: Connection, *conditions: ColumnElement[bool]) -> int:
    # In the order of the index: PostgreSQL else reads the table until it has as many.
    some = select(_repository.id).where(*conditions).order_by(_repository.due_at)
    found = some.limit(MOST).subquery()
    count: int = connection.execute(
        select(func.count()).select_from(found)
    ).scalar_one()
    return count


def _first_due(
    connection: Connection, *conditions: ColumnElement[bool]
) -> datetime | None:
    first: datetime | None = connection.execute(
        select(_repository.due_at)
        .where(*conditions)
        .order_by(_repository.due_at)
        .limit(1)
    ).scalar()
    return first


def jobs_waiting(connection: Connection, now: datetime) -> list[JobWaiting]:
    """The shared jobs of registries that are configured, and of nobody's."""
    rows = connection.execute(
        select(jobs)
        .outerjoin(registries, registries.c.name == jobs.c.argument)
        .where(registries.c.state.is_distinct_from("unconfigured"))
        .order_by(jobs.c.job, jobs.c.argument)
    )
    return [
        from_row(JobWaiting, row._mapping, is_leased=_has_lease(row, now))
        for row in rows
    ]


def repositories_waiting(
    connection: Connection, registry: str, now: datetime, most: int
) -> list[RepositoryWaiting]:
    """Repositories of a registry that are in hand, parked, due or put off, in this
    order and each by its due time; of many the first ones."""
    found = connection.execute(
        select(registries).where(registries.c.name == registry)
    ).one_or_none()
    if found is None:
        return []
    leased = _ids_of(found.id, _leased(connection, now))
    parked = _ids_of(found.id, _parked(connection, now))
    kinds: Sequence[tuple[ColumnElement[bool], ...]] = (
        (_repository.id.in_(leased[:most]),),
        (_repository.id.in_(parked[:most]),),
        _is_due(found.id, now),
        _is_put_off(found, now),
    )
    rows: list[RepositoryWaiting] = []
    for conditions in kinds:
        if len(rows) < most:
            limited = _WAITING.where(*conditions).order_by(
                _repository.due_at, _repository.id
            )
            page = connection.execute(limited.limit(most - len(rows)))
            rows += [
                _repository_waiting(connection, row, now, bool(leased)) for row in page
            ]
    return rows


def _ids_of(registry_id: int, few: Few) -> list[int]:
    return sorted(row.id for row in few if row.registry_id == registry_id)


def find_waiting(
    connection: Connection, registry: str, repository: str, now: datetime
) -> RepositoryWaiting | None:
    """Why this repository is not crawled now; None: it is not known."""
    row = connection.execute(
        _WAITING.where(registries.c.name == registry, _repository.name == repository)
    ).one_or_none()
    if row is None:
        return None
    leased = _ids_of(row.registry_id, _leased(connection, now))
    return _repository_waiting(connection, row, now, bool(leased))


_WAITING: Final[Select[*tuple[Any, ...]]] = select(
    repositories,
    registries.c.name.label("registry"),
    registries.c.state.label("registry_state"),
    registries.c.state_since.label("registry_since"),
    registries.c.interval_s,
).join(registries, registries.c.id == _repository.registry_id)


def _repository_waiting(
    connection: Connection, row: Row[*tuple[Any, ...]], now: datetime, is_busy: bool
) -> RepositoryWaiting:
    """is_busy: whether others of its registry are being crawled"""
    why = _why(row, now)
    if why == "due" and is_busy:
        why = "limit"
    return from_row(
        RepositoryWaiting,
        row._mapping,
        repository=row.name,
        why=why,
        since=_since(connection, row, why),
        until=(
            row.lease_until
            if why == "leased"
            else row.due_at
            if why in ("poison", "quota", "put_off", "not_due")
            else None
        ),
        due_at=None if row.deleted_at is not None else row.due_at,
        owner=row.lease_owner if _has_lease(row, now) else None,
    )


def _has_lease(row: Row[*tuple[Any, ...]], now: datetime) -> bool:
    return is_leased(row.lease_until, row.lease_owner, now)


def _why(row: Row[*tuple[Any, ...]], now: datetime) -> CrawlBar:
    if row.registry_state == "unconfigured":
        return "unconfigured"
    if row.deleted_at is not None:
        return "deleted"
    if _has_lease(row, now):
        return "leased"
    if row.due_at <= now:
        return "unreachable" if row.registry_state == "unreachable" else "due"
    if row.attempts >= STARTS:
        return "poison"
    if row.state_reason in _QUOTA:
        return "quota"
    is_late = row.due_at > now + timedelta(seconds=row.interval_s) + SLACK
    return "put_off" if is_late or row.attempts else "not_due"


def _since(
    connection: Connection, row: Row[*tuple[Any, ...]], why: CrawlBar
) -> datetime | None:
    moments: dict[CrawlBar, datetime | None] = {
        "deleted": row.deleted_at,
        "unreachable": row.registry_since,
        "unconfigured": row.registry_since,
        "poison": row.state_since,
        "quota": row.last_crawl_at,
        "due": row.due_at,
        "limit": row.due_at,
    }
    if why != "leased":
        return moments.get(why)
    began: datetime | None = connection.execute(
        select(crawls.c.started_at)
        .where(crawls.c.repository_id == row.id, crawls.c.ended_at.is_(None))
        .order_by(crawls.c.id.desc())
        .limit(1)
    ).scalar()
    return began
