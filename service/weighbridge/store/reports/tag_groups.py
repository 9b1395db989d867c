"""The tags of one repository by what they name, newest first: tags of one image are one
row, and what deleting all of them frees stands beside it.

In which order: as for the newest image of a repository, by push time, then by when a
crawl saw a tag move; where neither is known by the names of the tags, in reverse
natural order.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Subquery,
    Text,
    bindparam,
    case,
    func,
    literal,
    select,
    tuple_,
    type_coerce,
)

from weighbridge.domain.image.image_base import BaseInWords
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.report.inventory import Page, RepositoryReport, TagReport
from weighbridge.store.bases.image_bases import load_bases
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.models import tags
from weighbridge.store.named_rows import find_place
from weighbridge.store.paging import (
    NUMBER,
    TEXT,
    CursorForm,
    check_limit,
    one_of,
    read_cursor,
    write_cursor,
)
from weighbridge.store.reports.reclaim import find_unknown, frees_alone
from weighbridge.store.reports.tags import reports_with_images

GROUP_CURSOR: Final = CursorForm(one_of("groups"), NUMBER, NUMBER, TEXT, NUMBER, NUMBER)
_NAMED: Final = 12
"""Tags of one image that are named."""
_REPOSITORY: Final = bindparam("repository", type_=BigInteger)
# Tags that were never read are a group each. Those that are gone are no part of what is
# there.
_key: ColumnElement[int] = func.coalesce(tags.c.target_id, -tags.c.id)
_gone: ColumnElement[int] = case((tags.c.deleted_at.is_(None), 0), else_=1)


def _latest(column: ColumnElement[object]) -> ColumnElement[int]:
    return func.coalesce(func.max(type_coerce(column, BigInteger)), -1)


def _grouped(*which: ColumnElement[bool]) -> Subquery:
    """Groups that have such tags, by those of their tags."""
    return (
        select(
            _latest(tags.c.pushed_at).label("pushed"),
            _latest(tags.c.moved_at).label("moved"),
            func.max(tags.c.natural_key).label("natural"),
            _key.label("key"),
            _gone.label("gone"),
        )
        .where(tags.c.repository_id == _REPOSITORY, *which)
        .group_by(_key, _gone)
        .subquery()
    )


_GROUPS: Final = _grouped()
_FITTING: Final = _grouped(tags.c.name.ilike(bindparam("pattern"), escape="\\"))


def _order(groups: Subquery) -> tuple[ColumnElement[Any], ...]:
    return (
        groups.c.pushed,
        groups.c.moved,
        type_coerce(groups.c.natural, Text),
        groups.c.key,
        groups.c.gone,
    )


_PLACED: Final = (
    select(
        tags,
        _key.label("key"),
        _gone.label("gone"),
        func.row_number()
        .over(partition_by=(_key, _gone), order_by=tags.c.natural_key.desc())
        .label("place"),
        func.count().over(partition_by=(_key, _gone)).label("tags"),
    )
    .where(tags.c.repository_id == _REPOSITORY, among_ids(_key))
    .subquery()
)
_MEMBERS: Final = (
    select(_PLACED)
    .where(_PLACED.c.place <= _NAMED)
    .order_by(_PLACED.c.key, _PLACED.c.place)
)


class TagGroup(Struct, frozen=True):
    """Tags of one image, or of another thing, all of them live or all gone.

    tags:        at most twelve of them, in reverse natural order
    count:       how many there are
    freed_bytes: what deleting all of them frees, the others staying; None: not known,
                 or they are gone
    base:        of the image, of the platform that speaks for it; None: not known
    platforms:   of its images, the one that speaks for it first
    """

    tags: Sequence[TagReport]
    count: int
    freed_bytes: int | None
    base: BaseInWords | None = None
    platforms: Sequence[Platform] = ()


class TagGroups(Struct, frozen=True):
    """A page of them.

    unknown: why it is not known what deleting them frees, None: it is
    behind:  the first of the next page, with nothing of what deleting it frees; None:
             there is none
    """

    page: Page[TagGroup]
    unknown: str | None
    behind: TagGroup | None = None


def group_page(
    connection: Connection,
    repository: RepositoryReport,
    now: datetime,
    *,
    limit: int = 100,
    cursor: str | None = None,
    platforms: Sequence[Platform] = (DEFAULT,),
    leaves_tags_out: bool = False,
    fitting: str | None = None,
) -> TagGroups:
    """One page of a repository's tags by what they name; gone ones too.

    now: by which a base's names are chosen
    fitting: only what has a tag whose name fits: `*` stands for any text, and where
             there is none the name holds this; large and small letters are one
    platforms: in the order in which one of them speaks for an index
    leaves_tags_out: the configuration leaves tags of this registry out
    Raises UsageError(invalid_limit, invalid_cursor).
    """
    check_limit(limit)
    unknown = find_unknown(connection, repository, leaves_tags_out=leaves_tags_out)
    place = find_place(connection, repository.registry, repository.repository)
    if place is None:
        return TagGroups(Page((), None), unknown)
    groups = _GROUPS if fitting is None else _FITTING
    order = _order(groups)
    statement = (
        select(groups).order_by(*(each.desc() for each in order)).limit(limit + 1)
    )
    if cursor is not None:
        _, *last = read_cursor(cursor, GROUP_CURSOR)
        after = tuple_(*(literal(v, c.type) for v, c in zip(last, order, strict=True)))
        statement = statement.where(tuple_(*order) < after)
    wanted: dict[str, object] = {"repository": place.id}
    if fitting is not None:
        wanted["pattern"] = _like(fitting)
    rows = connection.execute(statement, wanted).all()
    shown = rows[:limit]
    keys = sorted({row.key for row in rows})
    parameters = {"repository": place.id, "ids": listed(keys)}
    members = connection.execute(_MEMBERS, parameters).all()
    reports = reports_with_images(connection, place.scope_id, members, platforms)
    images = {each.image for each in reports if each.image is not None}
    bases = load_bases(connection, images, now) if images else {}
    live = [row.key for row in shown if not row.gone and row.key > 0]
    freed = {} if unknown else frees_alone(connection, *place, live)
    named: dict[tuple[int, int], list[TagReport]] = {}
    counts: dict[tuple[int, int], int] = {}
    base_of: dict[int, BaseInWords | None] = {}
    platforms_of: dict[int, Sequence[Platform]] = {}
    for row, (report, image, every) in zip(members, reports, strict=True):
        named.setdefault((row.key, row.gone), []).append(report)
        counts[row.key, row.gone] = row.tags
        platforms_of[row.key] = every
        base_of[row.key] = None if image is None else bases.get(image)
    found = tuple(
        TagGroup(
            named[row.key, row.gone],
            counts[row.key, row.gone],
            None if row.gone else freed.get(row.key),
            base_of[row.key],
            platforms_of[row.key],
        )
        for row in rows
    )
    if len(found) <= limit:
        return TagGroups(Page(found, None), unknown)
    cursor = write_cursor("groups", *rows[limit - 1][:5])
    return TagGroups(Page(found[:limit], cursor), unknown, found[limit])


def _like(pattern: str) -> str:
    escaped = pattern.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return escaped.replace("*", "%") if "*" in pattern else f"%{escaped}%"
