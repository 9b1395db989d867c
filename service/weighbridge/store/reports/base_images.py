"""The images on a base, those on an older build of it first.

They are walked in the order of an index, build by build: a base may have half a
million. Most images that were ever pushed are led to no more; so a page looks through
a few thousand and then ends, though it may have found none.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Connection,
    and_,
    bindparam,
    case,
    or_,
    select,
    tuple_,
    union_all,
)

from weighbridge.domain.access.principal import Sight
from weighbridge.domain.report.base import BaseImageReport
from weighbridge.domain.report.inventory import Page
from weighbridge.store.bases.builds_on_base import BuildOnBase, CountedBase
from weighbridge.store.dialect import among_ids, given_ids, join_in_order, listed
from weighbridge.store.models import (
    base_chains,
    blobs,
    image_bases,
    images,
    index_members,
    platforms,
    registries,
    repositories,
    repository_manifests,
    repository_summaries,
    tags,
)
from weighbridge.store.models.types import LARGEST
from weighbridge.store.named_rows import NAMES
from weighbridge.store.paging import (
    NUMBER,
    CursorForm,
    check_limit,
    one_of,
    read_cursor,
    write_cursor,
)
from weighbridge.store.sizes.manifest_sizes import (
    COMPRESSED_BYTES,
    COMPRESSED_CONFIDENCE,
    in_scope,
)

LOOKED_THROUGH: Final = 5_000
"""Images of a base that a page looks through."""
TAGS: Final = 10
"""So many tags of an image are named."""
TAGS_READ: Final = 20_000
"""Tags among which those of a page are looked for: of its repositories with fewest."""
BASE_IMAGE_CURSOR: Final = CursorForm(
    one_of("base-images"), NUMBER, NUMBER, NUMBER, NUMBER
)
_on = image_bases.c
_live = repository_manifests.c
_summary = repository_summaries.c
_CHAIN: Final = bindparam("chain", type_=BigInteger)
_AFTER: Final = bindparam("image", type_=BigInteger)
_few = (
    select(_on.image_id)
    .where(_on.base_chain_id == _CHAIN, _on.relation == "base", _on.image_id >= _AFTER)
    .order_by(_on.image_id)
    .limit(LOOKED_THROUGH)
)
_looked = _few.subquery()
_KEYS: Final = (
    select(_looked.c.image_id, _live.repository_id)
    .select_from(
        join_in_order(
            _looked, repository_manifests, _live.manifest_id == _looked.c.image_id
        )
    )
    .where(
        tuple_(_looked.c.image_id, _live.repository_id)
        > tuple_(_AFTER, bindparam("repository", type_=BigInteger))
    )
    .order_by(_looked.c.image_id, _live.repository_id)
    .limit(bindparam("room", type_=BigInteger))
)
_LAST_LOOKED_AT: Final = _few.offset(LOOKED_THROUGH - 1).limit(1)
_on_builds = (
    select(_on.base_chain_id, _on.image_id, _live.repository_id)
    .join(repository_manifests, _live.manifest_id == _on.image_id)
    .where(
        _on.relation == "base",
        among_ids(_on.base_chain_id, "chains"),
        among_ids(_live.repository_id, "seen"),
    )
    .order_by(_on.base_chain_id.desc(), _on.image_id, _live.repository_id)
    .limit(bindparam("room", type_=BigInteger))
)
_SEEN_KEYS: Final = _on_builds.where(
    or_(
        _on.base_chain_id < _CHAIN,
        and_(
            _on.base_chain_id == _CHAIN,
            tuple_(_on.image_id, _live.repository_id)
            > tuple_(_AFTER, bindparam("repository", type_=BigInteger)),
        ),
    )
)
"""Of several builds of one rank, in their order; all that is seen, as there is nothing
to pass over."""
_given = given_ids("repository", "image")
_weighs = COMPRESSED_BYTES.element
_ROWS: Final = select(
    repositories.c.id.label("repository_id"),
    images.c.id.label("image_id"),
    *NAMES,
    blobs.c.digest,
    platforms.c.text.label("platform"),
    (_summary.newest_image_id == images.c.id).label("is_newest"),
    COMPRESSED_BYTES,
    COMPRESSED_CONFIDENCE,
    case(
        (
            _weighs > base_chains.c.compressed_bytes,
            _weighs - base_chains.c.compressed_bytes,
        ),
        else_=0,
    ).label("own_bytes"),
    _on.base_chain_id,
    _on.found_by,
    _summary.tag_count,
).select_from(
    in_scope(
        join_in_order(_given, repositories, repositories.c.id == _given.c.repository)
        .join(registries, registries.c.id == repositories.c.registry_id)
        .join(images, images.c.id == _given.c.image)
        .join(blobs, blobs.c.id == images.c.id)
        .join(platforms, platforms.c.id == images.c.platform_id)
        .join(image_bases, _on.image_id == images.c.id)
        .join(base_chains, base_chains.c.id == _on.base_chain_id)
        .outerjoin(repository_summaries, _summary.repository_id == repositories.c.id),
        repositories.c.scope_id,
    )
)
_OF_THESE: Final = and_(
    among_ids(tags.c.repository_id, "repositories"), tags.c.deleted_at.is_(None)
)
_tag = (tags.c.repository_id, tags.c.natural_key, tags.c.name)
_every_tag = union_all(
    select(*_tag, tags.c.target_id.label("image_id")).where(
        _OF_THESE, among_ids(tags.c.target_id, "images")
    ),
    select(*_tag, index_members.c.child_id)
    .join_from(tags, index_members, index_members.c.index_id == tags.c.target_id)
    .where(_OF_THESE, among_ids(index_members.c.child_id, "images")),
).subquery()
_TAGS: Final = (
    select(
        _every_tag.c.repository_id,
        _every_tag.c.image_id,
        _every_tag.c.name,
        _every_tag.c.natural_key,
    )
    .order_by(_every_tag.c.natural_key, _every_tag.c.name)
    .distinct()
)


class BaseImageQuery(Struct, frozen=True):
    """outdated: only those on a build that the name does not lead to any more, or only
    the others"""

    outdated: bool | None = None
    limit: int = 100
    cursor: str | None = None


class _Place(NamedTuple):
    """Where a page ends: after this image of this repository."""

    rank: int
    chain: int
    image: int
    repository: int


class _OnBase(NamedTuple):
    """An image as a repository has it."""

    image: int
    repository: int


def base_image_page(
    connection: Connection,
    base: CountedBase,
    query: BaseImageQuery,
    sight: Sight | None = None,
) -> Page[BaseImageReport]:
    """One page of what stands on a base. Where `next_cursor` is there, a page may have
    few items or none. Raises UsageError(invalid_limit, invalid_cursor).

    sight: which repositories are seen, None: all
    """
    limit = check_limit(query.limit)
    after = None
    if query.cursor is not None:
        _, *parts = read_cursor(query.cursor, BASE_IMAGE_CURSOR)
        after = _Place(*(int(part or 0) for part in parts))
    builds = [b for b in base.builds if query.outdated in (None, b.state == "outdated")]
    if sight is not None:
        return _seen_page(connection, builds, after, limit, sight)
    found: list[tuple[BuildOnBase, _OnBase]] = []
    for build, start in _still_to_read(builds, after):
        room = limit + 1 - len(found)
        parameters = {"chain": build.chain, **start._asdict(), "room": room}
        keys = map(_OnBase._make, connection.execute(_KEYS, parameters))
        found += [(build, key) for key in keys]
        if len(found) > limit:
            last = found[limit - 1]
            return _page(
                connection, found[:limit], _Place(last[0].rank, last[0].chain, *last[1])
            )
        looked = connection.execute(_LAST_LOOKED_AT, parameters).scalar()
        if looked is not None:
            place = _Place(build.rank, build.chain, looked, LARGEST)
            return _page(connection, found, place)
    return _page(connection, found, None)


def _seen_page(
    connection: Connection,
    builds: Sequence[BuildOnBase],
    after: _Place | None,
    limit: int,
    sight: Sight,
) -> Page[BaseImageReport]:
    """A statement for each rank, of which there are four."""
    seen = listed(sorted(sight.ids))
    found: list[tuple[BuildOnBase, _OnBase]] = []
    for rank in sorted({build.rank for build in builds}):
        if after is not None and rank < after.rank:
            continue
        by_chain = {build.chain: build for build in builds if build.rank == rank}
        start = (LARGEST, 0, 0)
        if after is not None and rank == after.rank:
            start = (after.chain, after.image, after.repository)
        parameters = {
            **dict(zip(("chain", "image", "repository"), start, strict=True)),
            "chains": listed(sorted(by_chain)),
            "seen": seen,
            "room": limit + 1 - len(found),
        }
        found += [
            (by_chain[chain], _OnBase(*key))
            for chain, *key in connection.execute(_SEEN_KEYS, parameters)
        ]
        if len(found) > limit:
            build, key = found[limit - 1]
            last = _Place(build.rank, build.chain, *key)
            return _page(connection, found[:limit], last)
    return _page(connection, found, None)


def _still_to_read(
    builds: Sequence[BuildOnBase], after: _Place | None
) -> Iterator[tuple[BuildOnBase, _OnBase]]:
    """The builds from a place on, each with what it is read after. They stand in the
    order of their ranks, and then from the highest number down."""
    for build in builds:
        if after is None or (build.rank, -build.chain) > (after.rank, -after.chain):
            yield build, _OnBase(0, 0)
        elif build.chain == after.chain:
            yield build, _OnBase(after.image, after.repository)


def _page(
    connection: Connection,
    found: Sequence[tuple[BuildOnBase, _OnBase]],
    last: _Place | None,
) -> Page[BaseImageReport]:
    groups: dict[int, list[int]] = {}
    for _, key in found:
        groups.setdefault(key.repository, []).append(key.image)
    rows = {
        _OnBase(row.image_id, row.repository_id): row
        for row in connection.execute(_ROWS, {"keys": groups})
    }
    names = _tags_of(
        connection,
        {key: row.tag_count or 0 for key, row in rows.items()},
    )
    items = tuple(
        BaseImageReport(
            registry=row.registry,
            repository=row.repository,
            tags=names.get(key),
            digest=row.digest,
            platform=row.platform,
            is_newest=bool(row.is_newest),
            base_state=build.state,
            base_left_at=build.left_at,
            compressed_bytes=row.compressed_bytes,
            compressed_confidence=row.compressed_confidence,
            own_bytes=row.own_bytes,
            found_by=row.found_by,
        )
        for build, key in found
        if (row := rows.get(key)) is not None
    )
    return Page(items, None if last is None else write_cursor("base-images", *last))


def _tags_of(
    connection: Connection, tag_counts: Mapping[_OnBase, int]
) -> dict[_OnBase, tuple[str, ...]]:
    """The tags that lead to these images in their repositories, straight or through an
    index. Of repositories with too many tags nothing."""
    sizes = {key.repository: count for key, count in tag_counts.items()}
    wanted, read = [], 0
    for repository in sorted(sizes, key=lambda number: (sizes[number], number)):
        read += sizes[repository]
        if read > TAGS_READ:
            break
        wanted.append(repository)
    some = [key for key in tag_counts if key.repository in set(wanted)]
    parameters = {
        "repositories": listed(wanted),
        "images": listed(sorted({key.image for key in some})),
    }
    found: dict[_OnBase, list[str]] = {key: [] for key in some}
    for row in connection.execute(_TAGS, parameters):
        names = found.get(_OnBase(row.image_id, row.repository_id))
        if names is not None and len(names) < TAGS:
            names.append(row.name)
    return {key: tuple(names) for key, names in found.items()}
