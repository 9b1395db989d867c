"""Violations: what exceeds its limit, and what did."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeAlias

from msgspec import Struct
from sqlalchemy import (
    Connection,
    Row,
    Select,
    and_,
    func,
    select,
)

from weighbridge.domain.policy.policy import LimitKey, Severity
from weighbridge.domain.policy.waiver import ActiveWaivers
from weighbridge.domain.report.inventory import Page
from weighbridge.domain.report.violation import ViolationReport
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.models import (
    manifest_sizes,
    registries,
    repositories,
    violations,
)
from weighbridge.store.paging import (
    NUMBER,
    TEXT,
    CursorForm,
    check_limit,
    one_of,
    read_cursor,
    write_cursor,
)
from weighbridge.store.reports.over_tags import (
    OverPlace,
    OverQuery,
    OverRow,
    read_over,
)
from weighbridge.store.violations.violation_rows import read_cause
from weighbridge.store.violations.waivers import active_waivers

StateFilter: TypeAlias = Literal["open", "closed", "all"]

VIOLATION_CURSORS: Final = (
    CursorForm(one_of("violations"), NUMBER),
    CursorForm(one_of("over-tags"), NUMBER, NUMBER, TEXT, TEXT),
)
"""After a violation, or after a tag behind all of them."""
_table = violations.c


class ViolationQuery(Struct, frozen=True):
    """Which violations, newest first; None: of all. `open` holds those that are waived
    too. team: "" for those of nobody's. all_tags: behind those that are open also tags
    that stand over a limit and are not the newest of their stream"""

    registry: str | None = None
    repository: str | None = None
    team: str | None = None
    severity: str | None = None
    policy: str | None = None
    state: StateFilter = "open"
    all_tags: bool = False
    limit: int = 100
    cursor: str | None = None


class OpenRow(NamedTuple):
    """As much of an open violation as is counted."""

    repository_id: int
    registry: str
    repository: str
    tag: str
    policy: str
    severity: Severity
    limit_key: LimitKey


class OpenCounts(Struct, frozen=True):
    """by_repository: violations that nobody has accepted, by the repository's id"""

    by_repository: Mapping[int, int]
    waived: int


_OPEN: Final = (
    select(
        _table.repository_id,
        registries.c.name,
        repositories.c.name,
        func.coalesce(_table.tag, ""),
        _table.policy,
        _table.severity,
        _table.limit_key,
    )
    .join_from(violations, repositories, repositories.c.id == _table.repository_id)
    .join(registries, registries.c.id == repositories.c.registry_id)
    .where(_table.closed_at.is_(None), repositories.c.deleted_at.is_(None))
    .order_by(_table.id)
)
_COUNTS: Final = (
    select(repositories.c.id, repositories.c.name, func.count())
    .join_from(violations, repositories, repositories.c.id == _table.repository_id)
    .where(_table.closed_at.is_(None), repositories.c.deleted_at.is_(None))
    .group_by(repositories.c.id)
)
_OPEN_OF: Final = _OPEN.where(among_ids(_table.repository_id))


def violation_page(
    connection: Connection, query: ViolationQuery, now: datetime
) -> Page[ViolationReport]:
    """One page, newest first. Raises UsageError(invalid_limit, invalid_cursor)."""
    limit = check_limit(query.limit)
    last, place = _reached(query)
    rows: Sequence[Row[*tuple[object, ...]]] = ()
    if place is None:
        statement = _chosen(query).order_by(_table.id.desc()).limit(limit + 1)
        if last is not None:
            statement = statement.where(_table.id < last)
        rows = connection.execute(statement).all()
    waivers = active_waivers(connection, now)
    items = [_report(row, waivers, now) for row in rows[:limit]]
    if len(rows) > limit:
        return Page(tuple(items), write_cursor("violations", rows[limit - 1].id))
    if not query.all_tags or query.state == "closed":
        return Page(tuple(items), None)
    room = limit - len(items)
    over = OverQuery(
        query.registry, query.repository, query.team, query.severity, query.policy
    )
    found = read_over(connection, over, place, room + 1)
    items += [_over_report(row, waivers, now) for row in found[:room]]
    cursor = None
    if len(found) > room:
        reached = found[room - 1].place if room else place or OverPlace()
        cursor = write_cursor("over-tags", *reached)
    return Page(tuple(items), cursor)


def _reached(query: ViolationQuery) -> tuple[int | None, OverPlace | None]:
    """The last violation, and the last tag behind all of them, that were listed."""
    if query.cursor is None:
        return None, None
    _, *parts = read_cursor(query.cursor, *VIOLATION_CURSORS)
    numbers = [part for part in parts if isinstance(part, int)]
    texts = [part for part in parts if isinstance(part, str)]
    if len(numbers) == 1:
        return numbers[0], None
    return None, OverPlace(numbers[0], numbers[1], *texts)


def open_rows(connection: Connection) -> list[OpenRow]:
    """Every violation that is open, waived ones included."""
    return list(map(OpenRow._make, connection.execute(_OPEN).all()))


def open_counts(
    connection: Connection, waivers: ActiveWaivers, now: datetime
) -> OpenCounts:
    """How much is open, and where.

    Only repositories that a waiver may be about have their rows read: with a thousand
    violations, reading all of them takes longer than everything else on a page.
    """
    counts: dict[int, int] = {}
    covered: list[int] = []
    for identity, name, count in connection.execute(_COUNTS).all():
        counts[identity] = count
        if waivers.may_cover(name):
            covered.append(identity)
    waived = 0
    if covered:
        rows = connection.execute(_OPEN_OF, {"ids": listed(covered)}).all()
        found = list(map(OpenRow._make, rows))
        left = Counter(row.repository_id for row in not_waived(found, waivers, now))
        waived = len(found) - left.total()
        counts |= {identity: left[identity] for identity in covered}
    return OpenCounts({id_: count for id_, count in counts.items() if count}, waived)


def violating_ids(connection: Connection, now: datetime) -> frozenset[int]:
    """The repositories that have an open violation which nobody has accepted."""
    waivers = active_waivers(connection, now)
    return frozenset(open_counts(connection, waivers, now).by_repository)


def not_waived(
    rows: Sequence[OpenRow], waivers: ActiveWaivers, now: datetime
) -> list[OpenRow]:
    """Those that nobody has accepted."""
    return [
        row
        for row in rows
        if waivers.find(row.registry, row.repository, row.tag, row.limit_key, now)
        is None
    ]


def _chosen(query: ViolationQuery) -> Select[*tuple[object, ...]]:
    statement = (
        select(
            violations,
            registries.c.name.label("registry"),
            repositories.c.name.label("repository"),
            manifest_sizes.c.compressed_confidence,
        )
        .join(repositories, repositories.c.id == _table.repository_id)
        .join(registries, registries.c.id == repositories.c.registry_id)
        .outerjoin(
            manifest_sizes,
            and_(
                manifest_sizes.c.scope_id == repositories.c.scope_id,
                manifest_sizes.c.manifest_id == _table.image_id,
            ),
        )
    )
    wanted = (
        (registries.c.name, query.registry),
        (repositories.c.name, query.repository),
        (func.coalesce(_table.team, ""), query.team),
        (_table.severity, query.severity),
        (_table.policy, query.policy),
    )
    for column, value in wanted:
        if value is not None:
            statement = statement.where(column == value)
    if query.state == "open":
        statement = statement.where(_table.closed_at.is_(None))
    elif query.state == "closed":
        statement = statement.where(_table.closed_at.is_not(None))
    return statement


def _report(
    row: Row[*tuple[object, ...]], waivers: ActiveWaivers, now: datetime
) -> ViolationReport:
    is_open = row.closed_at is None
    return ViolationReport(
        id=row.id,
        registry=row.registry,
        repository=row.repository,
        tag=row.tag,
        digest=row.digest,
        platform=row.platform,
        stream=row.stream,
        policy=row.policy,
        team=row.team,
        severity=row.severity,
        limit_key=row.limit_key,
        limit_amount=row.limit_amount,
        amount=row.amount,
        baseline_compressed_bytes=row.baseline_compressed_bytes,
        before_compressed_bytes=row.before_compressed_bytes,
        compressed_confidence=(
            None if row.image_id is None else row.compressed_confidence or "claimed"
        ),
        cause=read_cause(row.cause, row.cause_key),
        is_silent=row.is_silent,
        opened_at=row.opened_at,
        pushed_at=row.pushed_at,
        changed_at=row.changed_at,
        closed_at=row.closed_at,
        closed_by=row.closed_by,
        within_tag=row.within_tag,
        within_amount=row.within_amount,
        waiver=waivers.find(
            row.registry, row.repository, row.tag or "", row.limit_key, now
        )
        if is_open
        else None,
    )


def _over_report(
    row: OverRow, waivers: ActiveWaivers, now: datetime
) -> ViolationReport:
    return ViolationReport(
        id=None,
        registry=row.registry,
        repository=row.repository,
        tag=row.tag,
        digest=row.digest,
        platform=row.platform,
        stream="",
        policy=row.policy,
        team=row.team,
        severity=row.severity,
        limit_key=row.limit_key,
        limit_amount=row.limit_amount,
        amount=row.amount,
        baseline_compressed_bytes=None,
        before_compressed_bytes=None,
        compressed_confidence=row.compressed_confidence,
        cause=None,
        is_silent=True,
        opened_at=None,
        pushed_at=row.pushed_at,
        changed_at=None,
        closed_at=None,
        closed_by=None,
        within_tag=None,
        within_amount=None,
        waiver=waivers.find(row.registry, row.repository, row.tag, row.limit_key, now),
    )
