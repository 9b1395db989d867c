"""Search by name: repositories first, then tags; and whether a pattern fits any.

A text may stand anywhere in a name, for which neither database has an index of its own.
So no more names are looked through than take some hundredths of a second: those that
were added last, and of repositories all whose name begins with the text.
"""

import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, FromClause, exists, func, select

from weighbridge.domain.access.principal import Sight
from weighbridge.domain.policy.policy import Match
from weighbridge.domain.report.inventory import SearchHit
from weighbridge.domain.text.globs import fits
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.models import registries, repositories, tags
from weighbridge.store.named_rows import NAMES, named
from weighbridge.store.paging import check_limit
from weighbridge.store.reports.inventory import name_fits, text_fits

# The characters of repository names and tags together (distribution-spec, "Pulling
# manifests"). A search for anything else would read every row to find nothing.
_OF_NAMES: Final = re.compile(r"[A-Za-z0-9._/-]+", re.ASCII)


def could_be_in_a_name(text: str) -> bool:
    """Whether a repository or tag may have this text in its name."""
    return _OF_NAMES.fullmatch(text) is not None


REPOSITORIES: Final = 50_000
TAGS: Final = 100_000
"""Rows whose names are looked through."""
_TAG_CHARACTERS: Final = 2
"""Shorter texts are looked for in repositories only: nearly every tag has them."""
_BEHIND_ALL: Final = "\x7f"
"""Comes after whatever a name can hold."""


class SearchResult(Struct, frozen=True):
    """What was found; `is_part`: not all names were looked through."""

    hits: Sequence[SearchHit]
    is_part: bool


def search(
    connection: Connection, q: str, limit: int, sight: Sight | None = None
) -> SearchResult:
    """Repositories and live tags whose names hold the text, literally; shortest
    first. Raises UsageError(invalid_limit).

    sight: which repositories are seen, None: all. Of these all names are looked
           through, and the tags of those that were added last
    """
    check_limit(limit)
    if not could_be_in_a_name(q):
        return SearchResult([], is_part=False)
    if sight is not None:
        return _among_seen(connection, q, limit, sight)
    hits = _repositories(connection, q, limit)
    is_part = _is_more(connection, repositories, REPOSITORIES)
    if len(hits) < limit and len(q) >= _TAG_CHARACTERS:
        hits += _tags(connection, q, limit - len(hits))
        is_part = is_part or _is_more(connection, tags, TAGS)
    return SearchResult(hits, is_part)


def _repositories(connection: Connection, q: str, limit: int) -> list[SearchHit]:
    name, start = repositories.c.name, q.lower()
    registry_id = repositories.c.registry_id
    # With every registry: an index of names begins with it.
    begins = registry_id.in_(select(registries.c.id)) & name.between(
        start, start + _BEHIND_ALL
    )
    found: set[SearchHit] = set()
    for is_looked_at in (_newest(repositories, REPOSITORIES), begins):
        few = (
            select(registry_id, name)
            .where(
                is_looked_at,
                name.icontains(q, autoescape=True),
                repositories.c.deleted_at.is_(None),
            )
            .limit(REPOSITORIES)
            .subquery()
        )
        rows = connection.execute(
            select(registries.c.name, few.c.name)
            .join(registries, registries.c.id == few.c.registry_id)
            .order_by(func.length(few.c.name), few.c.name, registries.c.name)
            .limit(limit)
        )
        found |= {SearchHit(*row, None) for row in rows}
    return sorted(found, key=_shortest_first)[:limit]


def _shortest_first(hit: SearchHit) -> tuple[int, str, str]:
    return len(hit.repository), hit.repository, hit.registry


def _tags(connection: Connection, q: str, limit: int) -> list[SearchHit]:
    name = tags.c.name
    rows = connection.execute(
        select(*NAMES, name)
        .select_from(named(tags))
        .where(
            _newest(tags, TAGS),
            name.icontains(q, autoescape=True),
            tags.c.deleted_at.is_(None),
            repositories.c.deleted_at.is_(None),
        )
        .order_by(func.length(name), name, repositories.c.name, registries.c.name)
        .limit(limit)
    )
    return [SearchHit(*row) for row in rows]


def _among_seen(
    connection: Connection, q: str, limit: int, sight: Sight
) -> SearchResult:
    given = {"seen": listed(sorted(sight.ids))}
    is_seen = among_ids(repositories.c.id, "seen")
    name, of = repositories.c.name, registries.c.name
    found = (
        select(of, name)
        .join_from(
            repositories, registries, registries.c.id == repositories.c.registry_id
        )
        .where(
            is_seen,
            name.icontains(q, autoescape=True),
            repositories.c.deleted_at.is_(None),
        )
        .order_by(func.length(name), name, of)
        .limit(limit)
    )
    hits = [SearchHit(*row, None) for row in connection.execute(found, given)]
    if len(hits) == limit or len(q) < _TAG_CHARACTERS:
        return SearchResult(hits, is_part=False)
    few = (
        select(tags.c.repository_id, tags.c.name)
        .where(
            among_ids(tags.c.repository_id, "seen"),
            tags.c.deleted_at.is_(None),
        )
        .order_by(tags.c.repository_id.desc(), tags.c.name.desc())
        .limit(TAGS)
    )
    looked = few.subquery()
    tag = looked.c.name
    found_tags = (
        select(*NAMES, tag)
        .select_from(named(looked))
        .where(tag.icontains(q, autoescape=True), repositories.c.deleted_at.is_(None))
        .order_by(func.length(tag), tag, name, of)
        .limit(limit - len(hits))
    )
    hits += [SearchHit(*row) for row in connection.execute(found_tags, given)]
    beyond = connection.execute(few.limit(1).offset(TAGS), given).first()
    return SearchResult(hits, is_part=beyond is not None)


def _newest(table: FromClause, most: int) -> ColumnElement[bool]:
    """Rows that were added last, at most so many."""
    return table.c.id > select(func.max(table.alias().c.id)).scalar_subquery() - most


def _is_more(connection: Connection, table: FromClause, most: int) -> bool:
    """Whether there may be others besides."""
    first: int | None = connection.execute(
        select(func.min(table.c.id)).where(~_newest(table, most))
    ).scalar()
    return first is not None


_AT_ONCE: Final = 100


def matches_anything(connection: Connection, match: Match) -> bool:
    """Whether a repository that is not gone fits and, where not every tag is meant, one
    of its live tags."""
    known = connection.execute(select(registries.c.id, registries.c.name)).all()
    these = (
        repositories.c.registry_id.in_(
            [row.id for row in known if fits(match.registry, row.name)]
        ),
        repositories.c.deleted_at.is_(None),
        name_fits(match.repository),
    )
    if match.tag == "*":
        found: bool = connection.execute(select(exists().where(*these))).scalar_one()
        return found
    fitting = (
        select(tags.c.name)
        .join(repositories, repositories.c.id == tags.c.repository_id)
        .where(*these, tags.c.deleted_at.is_(None), text_fits(tags.c.name, match.tag))
        .execution_options(yield_per=_AT_ONCE)
    )
    with connection.execute(fitting).scalars() as names:
        # SQLite's LIKE takes `A` for `a`, which no tag does.
        return any(fits(match.tag, name) for name in names)
