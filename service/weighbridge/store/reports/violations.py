"""Violations: what exceeds its limit, and what did, in pages and as counts; and what is
told of them, read for a message as `ViolationNotice`.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    bindparam,
    case,
    exists,
    func,
    select,
    tuple_,
)

from weighbridge.domain.access.principal import Sight
from weighbridge.domain.message.grouping import NotificationEvent, ViolationNotice
from weighbridge.domain.policy.policy import BASE_KEYS
from weighbridge.domain.policy.waiver import ActiveWaivers
from weighbridge.domain.report.inventory import Page
from weighbridge.domain.report.violation import ViolationReport
from weighbridge.store.bases.standing import certain_bases
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.models import (
    blobs,
    images,
    manifest_sizes,
    over_tags,
    registries,
    repositories,
    tags,
    violations,
)
from weighbridge.store.models.types import Moment
from weighbridge.store.named_rows import NAMES, from_row, named
from weighbridge.store.paging import (
    NUMBER,
    TEXT,
    CursorForm,
    Key,
    check_limit,
    one_of,
    read_cursor,
    write_cursor,
)
from weighbridge.store.reports.repository_savings import slimmer_bases
from weighbridge.store.sizes.manifest_sizes import (
    COMPRESSED_BYTES,
    COMPRESSED_CONFIDENCE,
    in_scope,
)
from weighbridge.store.violations.violation_rows import read_cause
from weighbridge.store.violations.waivers import active_waivers, waiver_of

OpenRow: TypeAlias = Row[*tuple[Any, ...]]
"""As much of an open violation as is counted: as `_OPEN` selects it."""
StateFilter: TypeAlias = Literal["open", "closed", "all"]

VIOLATION_CURSORS: Final = (
    CursorForm(one_of("violations"), NUMBER),
    CursorForm(one_of("over-tags"), NUMBER, NUMBER, TEXT, TEXT),
)
"""After a violation, or after a tag behind all of them."""
_table = violations.c
_over = over_tags.c
_BEFORE_ALL: Final = (0, 0, "", "")
"""Of the key of `over_tags`."""
_OF_NO_EPISODE: Final = {
    **dict.fromkeys(ViolationReport.__struct_fields__),
    "stream": "",
    "is_silent": True,
}
"""What is said of a tag that stands over a limit and has no violation."""


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


_OPEN: Final = (
    select(
        _table.repository_id,
        *NAMES,
        _table.tag,
        _table.policy,
        _table.severity,
        _table.limit_key,
    )
    .select_from(named(violations))
    .where(_table.closed_at.is_(None), repositories.c.deleted_at.is_(None))
    .order_by(_table.id)
)
_COUNTS: Final = (
    select(repositories.c.id, repositories.c.name, func.count())
    .join_from(violations, repositories, repositories.c.id == _table.repository_id)
    .where(_table.closed_at.is_(None), repositories.c.deleted_at.is_(None))
    .group_by(repositories.c.id)
)


def violation_page(
    connection: Connection,
    query: ViolationQuery,
    now: datetime,
    sight: Sight | None = None,
) -> Page[ViolationReport]:
    """One page, newest first. Raises UsageError(invalid_limit, invalid_cursor).

    sight: which repositories are seen, None: all
    """
    seen = {} if sight is None else {"seen": listed(sorted(sight.ids))}
    limit = check_limit(query.limit)
    of: Key = "violations"
    after: Sequence[Key] = ()
    if query.cursor is not None:
        of, *after = read_cursor(query.cursor, *VIOLATION_CURSORS)
    rows: Sequence[Row[*tuple[object, ...]]] = ()
    if of == "violations":
        statement = _chosen(query).order_by(_table.id.desc()).limit(limit + 1)
        if after:
            statement = statement.where(_table.id < after[0])
        if seen:
            statement = statement.where(among_ids(_table.repository_id, "seen"))
        rows = connection.execute(statement, seen).all()
    waivers = active_waivers(connection, now)
    bases = _bases(connection, rows[:limit], now)
    items = [
        from_row(
            ViolationReport,
            row._mapping,
            base=bases.get(row.image_id),
            cause=read_cause(row.cause, row.cause_key),
            waiver=None if row.closed_at else waiver_of(waivers, row, now),
        )
        for row in rows[:limit]
    ]
    if len(rows) > limit:
        return Page(tuple(items), write_cursor("violations", rows[limit - 1].id))
    if not query.all_tags or query.state == "closed":
        return Page(tuple(items), None)
    room = limit - len(items)
    if of == "violations":
        after = _BEFORE_ALL
    found = _read_over(connection, query, after, room + 1, seen)
    bases = _bases(connection, found[:room], now)
    items += [
        from_row(
            ViolationReport,
            {**_OF_NO_EPISODE, **row._mapping},
            base=bases.get(row.image_id),
            waiver=waiver_of(waivers, row, now),
        )
        for row in found[:room]
    ]
    cursor = None
    if len(found) > room:
        cursor = write_cursor("over-tags", *(found[room - 1][:4] if room else after))
    return Page(tuple(items), cursor)


def open_rows(connection: Connection) -> Sequence[OpenRow]:
    """Every violation that is open, waived ones included."""
    return connection.execute(_OPEN).all()


def open_counts(
    connection: Connection, waivers: ActiveWaivers, now: datetime
) -> tuple[dict[int, int], int]:
    """How many violations that nobody has accepted are open, by the repository's id;
    and how many are waived.

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
        of_these = _OPEN.where(among_ids(_table.repository_id))
        found = connection.execute(of_these, {"ids": listed(covered)}).all()
        left = Counter(row.repository_id for row in not_waived(found, waivers, now))
        waived = len(found) - left.total()
        counts |= {identity: left[identity] for identity in covered}
    return {id_: count for id_, count in counts.items() if count}, waived


def violating_ids(connection: Connection, now: datetime) -> frozenset[int]:
    """The repositories that have an open violation which nobody has accepted."""
    waivers = active_waivers(connection, now)
    return frozenset(open_counts(connection, waivers, now)[0])


def not_waived(
    rows: Sequence[OpenRow], waivers: ActiveWaivers, now: datetime
) -> list[OpenRow]:
    """Those that nobody has accepted."""
    return [row for row in rows if waiver_of(waivers, row, now) is None]


def _chosen(query: ViolationQuery) -> Select[*tuple[object, ...]]:
    statement = (
        select(
            violations,
            *NAMES,
            case((_table.image_id.is_not(None), COMPRESSED_CONFIDENCE.element)).label(
                "compressed_confidence"
            ),
        )
        .select_from(
            in_scope(named(violations), repositories.c.scope_id, _table.image_id)
        )
        .where(*_wanted(query, violations))
    )
    if query.state == "open":
        statement = statement.where(_table.closed_at.is_(None))
    elif query.state == "closed":
        statement = statement.where(_table.closed_at.is_not(None))
    return statement


def _read_over(
    connection: Connection,
    query: ViolationQuery,
    after: Sequence[Key],
    most: int,
    seen: Mapping[str, object],
) -> Sequence[Row[*tuple[Any, ...]]]:
    """The next tags behind a place that stand over a limit, in the order of their keys,
    which are the first columns; what an open violation is of is left out, as that is
    listed already."""
    key = (_over.repository_id, _over.tag_id, _over.platform, _over.limit_key)
    has_violation = exists().where(
        _table.repository_id == _over.repository_id,
        _table.closed_at.is_(None),
        _table.tag == tags.c.name,
        _table.platform == _over.platform,
        _table.limit_key == _over.limit_key,
    )
    statement = (
        select(
            *key,
            *NAMES,
            tags.c.name.label("tag"),
            blobs.c.digest,
            _over.image_id,
            _over.policy,
            _over.team,
            _over.severity,
            _over.limit_amount,
            _over.amount,
            func.coalesce(tags.c.pushed_at, tags.c.moved_at).label("pushed_at"),
            COMPRESSED_CONFIDENCE,
        )
        .select_from(
            in_scope(named(over_tags), repositories.c.scope_id, _over.image_id)
        )
        .join(tags, tags.c.id == _over.tag_id)
        .join(blobs, blobs.c.id == _over.image_id)
        .where(tags.c.deleted_at.is_(None), repositories.c.deleted_at.is_(None))
        .where(~has_violation, *_wanted(query, over_tags))
        .where(tuple_(*key) > tuple_(*after))
        .order_by(*key)
        .limit(most)
    )
    if seen:
        statement = statement.where(among_ids(_over.repository_id, "seen"))
    return connection.execute(statement, seen).all()


def _wanted(query: ViolationQuery, of: Table) -> list[ColumnElement[bool]]:
    wanted = (
        (registries.c.name, query.registry),
        (repositories.c.name, query.repository),
        (func.coalesce(of.c.team, ""), query.team),
        (of.c.severity, query.severity),
        (of.c.policy, query.policy),
    )
    return [column == value for column, value in wanted if value is not None]


CLOSED_FOR: Final = timedelta(minutes=5)
"""An Alertmanager is notified so long of what was closed, as its documentation wants
it."""


def _notices(*where: Any) -> Select[*tuple[Any, ...]]:  # conditions are of any kind
    return (
        select(
            violations,
            *NAMES,
            COMPRESSED_BYTES,
            COMPRESSED_CONFIDENCE,
            manifest_sizes.c.uncompressed_bytes,
        )
        .select_from(
            in_scope(
                named(violations).outerjoin(
                    images,
                    images.c.id
                    == func.coalesce(_table.within_image_id, _table.image_id),
                ),
                repositories.c.scope_id,
            )
        )
        .where(*where)
    )


_OF_THESE: Final = _notices(among_ids(_table.id))
_EXCESSES: Final = select(_table.id, _table.limit_amount, _table.amount).where(
    among_ids(_table.id)
)
# Each in the order of its index: of years of violations only what is open is read, and
# some minutes.
_FIRING: Final = (
    _notices(_table.closed_at.is_(None), _table.is_silent.is_(False))
    .order_by(_table.id.desc())
    .limit(bindparam("most"))
)
_RESOLVED: Final = (
    _notices(
        _table.closed_at > bindparam("closed_after", type_=Moment()),
        _table.is_silent.is_(False),
    )
    .order_by(_table.closed_at.desc())
    .limit(bindparam("most"))
)


def read_notices(
    connection: Connection,
    wanted: Collection[tuple[int, NotificationEvent]],
    most: int,
) -> list[ViolationNotice]:
    """What is told of these violations, the heaviest first; of the heaviest `most`
    where there are more. Without addresses of pages."""
    events = dict(wanted)
    chosen = _heaviest(connection, events, most)
    rows = {
        row.id: row
        for row in connection.execute(_OF_THESE, {"ids": listed(chosen)}).all()
    }
    now = max((row.opened_at for row in rows.values()), default=None)
    bases = {} if now is None else _bases(connection, rows.values(), now)
    heavy = {
        row.id: row.image_id for row in rows.values() if events[row.id] == "opened"
    }
    slimmer = slimmer_bases(connection, set(heavy.values()) - {None})
    return [
        replace(
            _read(rows[one], events[one]),
            base=bases.get(rows[one].image_id),
            slimmer=slimmer.get(rows[one].image_id)
            if events[one] == "opened"
            else None,
        )
        for one in chosen
        if one in rows
    ]


def _bases(
    connection: Connection, rows: Iterable[Row[*tuple[Any, ...]]], now: datetime
) -> dict[int | None, str]:
    """What the images stand on, where a limit is about that."""
    asked = {row.image_id for row in rows if row.limit_key in BASE_KEYS}
    found = certain_bases(connection, asked - {None}, now)
    return {number: base.references[0] for number, base in found.items()}


def read_firing(
    connection: Connection, now: datetime, most: int
) -> list[ViolationNotice]:
    """What an Alertmanager is to know: what is open, and what was closed within some
    minutes; of each the latest `most`. What is waived is left out, and what was there
    before us."""
    parameters = {"closed_after": now - CLOSED_FOR, "most": most}
    found = [
        row
        for statement in (_FIRING, _RESOLVED)
        for row in connection.execute(statement, parameters)
    ]
    waivers = active_waivers(connection, now)
    return [
        _read(row, "opened" if row.closed_at is None else "resolved")
        for row in sorted(found, key=lambda row: (row.opened_at, row.id))
        if waiver_of(waivers, row, now) is None
    ]


def _heaviest(
    connection: Connection, events: dict[int, NotificationEvent], most: int
) -> list[int]:
    """By how far each is over its limit, as a share of it: bytes and layers can be
    compared so. What is open comes before what is over."""
    rows = connection.execute(_EXCESSES, {"ids": listed(sorted(events))}).all()

    def weight(row: Row[*tuple[Any, ...]]) -> tuple[bool, float, int]:
        is_over = events[row.id] == "resolved"
        return (is_over, -row.amount / max(row.limit_amount, 1), row.id)

    return [row.id for row in sorted(rows, key=weight)[:most]]


def _read(row: Row[*tuple[Any, ...]], event: NotificationEvent) -> ViolationNotice:
    """An end is told of the image that is within, never of the one that was over."""
    is_within = event == "resolved" and row.within_amount is not None
    return from_row(
        ViolationNotice,
        row._mapping,
        violation_id=row.id,
        event=event,
        tag=(row.within_tag if is_within else row.tag) or "",
        digest=row.within_digest if is_within else row.digest,
        amount=row.within_amount if is_within else row.amount,
        compressed_confidence=(
            None if row.image_id is None else row.compressed_confidence
        ),
        cause=read_cause(row.cause, row.cause_key),
        url=None,
    )
