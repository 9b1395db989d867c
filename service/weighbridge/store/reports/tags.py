"""The tags of one repository: in natural order with what they weigh; and the images
that tags like one have pointed to.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from sqlalchemy import Connection, Row, and_, bindparam, or_, select

from weighbridge.domain.growth.newest import Candidate, ranked, stream_of
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.policy.policy import STANDING, LimitKey
from weighbridge.domain.report.inventory import Page, TagReport
from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.facts.stored_images import (
    load_graph,
)
from weighbridge.store.models import (
    blobs,
    over_tags,
    registries,
    repositories,
    tags,
)
from weighbridge.store.named_rows import find_place, from_row, named
from weighbridge.store.paging import (
    TEXT,
    CursorForm,
    check_limit,
    one_of,
    read_cursor,
    write_cursor,
)
from weighbridge.store.read_model.streams import (
    LatestTags,
    Pointed,
    StreamImage,
    images_of,
    read_headlines,
    read_streams,
)

TAG_CURSOR: Final = CursorForm(one_of("tags"), TEXT, TEXT)
_OVER: Final = Rows(
    select(over_tags.c.tag_id, over_tags.c.limit_key).where(
        over_tags.c.repository_id == bindparam("repository"),
        among_ids(over_tags.c.tag_id),
    )
)
_NO_IMAGE: Final = dict.fromkeys(StreamImage._fields)
SQLRow: TypeAlias = Row[*tuple[object, ...]]


def tag_page(
    connection: Connection,
    registry: str,
    repository: str,
    *,
    limit: int = 100,
    cursor: str | None = None,
    platforms: Sequence[Platform] = (DEFAULT,),
) -> Page[TagReport]:
    """One page of a repository's tags, gone ones too; empty for an unknown one.

    platforms: in the order in which one of them speaks for an index.
    Raises UsageError(invalid_limit, invalid_cursor).
    """
    key = (tags.c.natural_key, tags.c.name)
    check_limit(limit)
    place = find_place(connection, registry, repository)
    if place is None:
        return Page((), None)
    statement = (
        select(tags)
        .where(tags.c.repository_id == place.id)
        .order_by(*key)
        .limit(limit + 1)
    )
    if cursor is not None:
        _, natural, name = read_cursor(cursor, TAG_CURSOR)
        statement = statement.where(
            or_(key[0] > natural, and_(key[0] == natural, key[1] > name))
        )
    rows = connection.execute(statement).all()
    items = reports_of(connection, place.scope_id, rows[:limit], platforms)
    if len(rows) <= limit:
        return Page(items, None)
    last = rows[limit - 1]
    return Page(items, write_cursor("tags", last.natural_key, last.name))


def aliases(
    connection: Connection, registry: str, repository: str, digest: Digest
) -> list[str]:
    """The live tags that point to this digest, in natural order."""
    statement = (
        select(tags.c.name)
        .select_from(named(tags))
        .join(blobs, blobs.c.id == tags.c.target_id)
        .where(
            registries.c.name == registry,
            repositories.c.name == repository,
            tags.c.deleted_at.is_(None),
            blobs.c.digest == digest,
        )
        .order_by(tags.c.natural_key, tags.c.name)
    )
    return list(connection.execute(statement).scalars())


def reports_of(
    connection: Connection,
    scope_id: int,
    rows: Sequence[SQLRow],
    platforms: Sequence[Platform],
) -> tuple[TagReport, ...]:
    """What rows of `tags` of one repository show."""
    found = reports_with_images(connection, scope_id, rows, platforms)
    return tuple(each.report for each in found)


class ShownTag(NamedTuple):
    """A tag with the id of the image that speaks for it, None where none does; and the
    platforms of all images that it leads to, that one's first."""

    report: TagReport
    image: int | None
    platforms: tuple[Platform, ...]


def reports_with_images(
    connection: Connection,
    scope_id: int,
    rows: Sequence[SQLRow],
    platforms: Sequence[Platform],
) -> list[ShownTag]:
    """The same, each with what it leads to."""
    targets = {row.target_id for row in rows if row.target_id is not None}
    graph = load_graph(connection, targets)
    shown = read_headlines(connection, graph, targets, scope_id, platforms)
    over = _over(connection, rows)
    reports = []
    for row in rows:
        node, headline = graph.nodes.get(row.target_id), shown.get(row.target_id)
        is_known = node is not None and node.state not in ("none", "missing")
        numbers = _NO_IMAGE if headline is None else headline.image._asdict()
        report = from_row(
            TagReport,
            {**numbers, **row._mapping},
            digest=None if node is None else node.digest,
            kind=node.state if node and is_known else None,
            platform=None if headline is None else str(headline.platform),
            platforms=len(graph.images_of(row.target_id)) if headline else 0,
            over=over.get(row.id, ()),
        )
        if headline is None:
            reports.append(ShownTag(report, None, ()))
            continue
        every = sorted(graph.images_of(row.target_id))
        every.sort(key=lambda each: each != headline.platform)
        reports.append(ShownTag(report, headline.image.id, tuple(every)))
    return reports


def _over(
    connection: Connection, rows: Sequence[SQLRow]
) -> dict[int, tuple[LimitKey, ...]]:
    """The limits that each of these tags stands over, by its id."""
    if not rows:
        return {}
    parameters = {
        "repository": rows[0].repository_id,
        "ids": listed([row.id for row in rows]),
    }
    found: dict[int, set[LimitKey]] = {}
    for tag, key in _OVER.read(connection, parameters):
        found.setdefault(tag, set()).add(key)
    return {
        tag: tuple(key for key in STANDING if key in keys)
        for tag, keys in found.items()
    }


class RecentImage(NamedTuple):
    """One image of a stream."""

    platform: str
    digest: Digest
    compressed_bytes: int


def recent_images(
    connection: Connection,
    registry: str,
    repository: str,
    tag: str,
    platforms: Sequence[Platform],
    now: datetime,
) -> list[RecentImage]:
    """The distinct images of each platform that tags like this one have pointed to,
    the latest first; none of a repository that is not known.

    The tag need not be there yet.
    """
    place = find_place(connection, registry, repository)
    if place is None:
        return []
    stream = stream_of(tag)
    wanted = {place.id: {stream: ()}}
    pointed = read_streams(connection, LatestTags(connection), wanted)[place.id][stream]
    targets = {each.target for each in pointed}
    found, _ = images_of(connection, place.scope_id, targets, platforms)
    names = dict.fromkeys(name for images in found.values() for name in images)
    return [
        RecentImage(name, candidate.digest, candidate.compressed_bytes)
        for name in names
        for candidate in _latest_first(pointed, found, name, now)
    ]


def knows_images(connection: Connection, registry: str, repository: str) -> bool:
    """Whether what `recent_images` finds is all that there is: the repository was
    crawled to its end, or the registry said that it does not have it."""
    found = connection.execute(
        select(
            registries.c.last_complete_discovery_at,
            repositories.c.id,
            repositories.c.last_complete_crawl_at,
            repositories.c.state,
        )
        .join_from(
            registries,
            repositories,
            (repositories.c.registry_id == registries.c.id)
            & (repositories.c.name == repository),
            isouter=True,
        )
        .where(registries.c.name == registry)
    ).one_or_none()
    if found is None:
        return False
    if found.id is None:
        return found.last_complete_discovery_at is not None
    is_whole = found.last_complete_crawl_at is not None
    return is_whole or found.state in ("missing", "deleted")


def _latest_first(
    pointed: Sequence[Pointed],
    found: Mapping[int, Mapping[str, StreamImage]],
    platform: str,
    now: datetime,
) -> list[Candidate]:
    candidates = [
        Candidate(
            tag=each.tag,
            digest=image.digest,
            # Whoever told when: a registry may give push times for some tags only.
            pushed_at=None,
            moved_at=each.since,
            created_at=image.created_at,
            compressed_bytes=image.compressed_bytes,
        )
        for each in pointed
        if (image := found.get(each.target, {}).get(platform)) is not None
    ]
    latest: dict[Digest, Candidate] = {}
    for place in ranked(candidates, now):
        latest.setdefault(place.candidate.digest, place.candidate)
    return list(latest.values())
