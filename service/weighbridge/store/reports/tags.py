"""The tags of one repository, in natural order, with what they weigh."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeAlias

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    ScalarSelect,
    and_,
    bindparam,
    or_,
    select,
)

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.policy.policy import STANDING, LimitKey
from weighbridge.domain.report.inventory import Page, TagReport
from weighbridge.domain.size.confidence import CompressedConfidence, Confidence
from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.facts.blob_claims import FactsState
from weighbridge.store.facts.target_images import headline, load_graph
from weighbridge.store.models import (
    blobs,
    images,
    manifest_sizes,
    over_tags,
    registries,
    repositories,
    tags,
)
from weighbridge.store.paging import (
    TEXT,
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

TAG_CURSOR: Final = CursorForm(one_of("tags"), TEXT, TEXT)
_OVER: Final = Rows(
    select(over_tags.c.tag_id, over_tags.c.limit_key).where(
        over_tags.c.repository_id == bindparam("repository"),
        among_ids(over_tags.c.tag_id),
    )
)
_IMAGES: Final = (
    select(
        images.c.id,
        images.c.created_at,
        images.c.layer_count,
        COMPRESSED_BYTES,
        COMPRESSED_CONFIDENCE,
        images.c.compressed_bytes.label("claimed_bytes"),
        manifest_sizes.c.uncompressed_bytes,
        manifest_sizes.c.uncompressed_confidence,
    )
    .select_from(in_scope(images, bindparam("scope", type_=BigInteger)))
    .where(among_ids(images.c.id))
)
_PLACE: Final = (
    select(repositories.c.id, repositories.c.scope_id)
    .join(registries, registries.c.id == repositories.c.registry_id)
    .where(
        registries.c.name == bindparam("registry"),
        repositories.c.name == bindparam("repository"),
    )
)
SQLRow: TypeAlias = Row[*tuple[object, ...]]


class _Headline(Struct, frozen=True):
    """What is shown of a tag's target."""

    digest: Digest
    state: FactsState
    platform: Platform | None = None
    platforms: int = 0
    compressed_bytes: int | None = None
    compressed_confidence: CompressedConfidence | None = None
    claimed_bytes: int | None = None
    uncompressed_bytes: int | None = None
    uncompressed_confidence: Confidence | None = None
    layers: int | None = None
    created_at: datetime | None = None


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
    names = {"registry": registry, "repository": repository}
    place = connection.execute(_PLACE, names).one_or_none()
    if place is None:
        return Page((), None)
    statement = (
        select(tags)
        .where(tags.c.repository_id == place.id)
        .order_by(*key)
        .limit(check_limit(limit) + 1)
    )
    if cursor is not None:
        _, natural, name = read_cursor(cursor, TAG_CURSOR)
        statement = statement.where(
            or_(key[0] > natural, and_(key[0] == natural, key[1] > name))
        )
    rows = connection.execute(statement).all()
    shown = _headlines(connection, place.scope_id, rows[:limit], platforms)
    over = _over(connection, rows[:limit])
    items = tuple(
        _report(row, shown.get(row.target_id), over.get(row.id, ()))
        for row in rows[:limit]
    )
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
        .join(blobs, blobs.c.id == tags.c.target_id)
        .where(
            tags.c.repository_id == _repository_id(registry, repository),
            tags.c.deleted_at.is_(None),
            blobs.c.digest == digest,
        )
        .order_by(tags.c.natural_key, tags.c.name)
    )
    return list(connection.execute(statement).scalars())


def _repository_id(registry: str, repository: str) -> ScalarSelect[int]:
    return (
        select(repositories.c.id)
        .join(registries, registries.c.id == repositories.c.registry_id)
        .where(registries.c.name == registry, repositories.c.name == repository)
        .scalar_subquery()
    )


def _headlines(
    connection: Connection,
    scope_id: int,
    rows: Sequence[SQLRow],
    platforms: Sequence[Platform],
) -> dict[int, _Headline]:
    targets = {row.target_id for row in rows if row.target_id is not None}
    graph = load_graph(connection, targets)
    found = {target: graph.images_of(target) for target in targets}
    chosen = {t: c for t in targets if (c := headline(found[t], platforms)) is not None}
    ids = listed({image for _, image in chosen.values()})
    found_images = connection.execute(_IMAGES, {"ids": ids, "scope": scope_id})
    image_rows = {row.id: row for row in found_images}
    shown: dict[int, _Headline] = {}
    for target in targets:
        node = graph.nodes[target]
        if target not in chosen:
            shown[target] = _Headline(node.digest, node.state)
            continue
        platform, image_id = chosen[target]
        image = image_rows[image_id]
        shown[target] = _Headline(
            digest=node.digest,
            state=node.state,
            platform=platform,
            platforms=len(found[target]),
            compressed_bytes=image.compressed_bytes,
            compressed_confidence=image.compressed_confidence,
            claimed_bytes=image.claimed_bytes,
            uncompressed_bytes=image.uncompressed_bytes,
            uncompressed_confidence=image.uncompressed_confidence,
            layers=image.layer_count,
            created_at=image.created_at,
        )
    return shown


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


def _report(
    row: SQLRow, shown: _Headline | None, over: tuple[LimitKey, ...]
) -> TagReport:
    is_known = shown is not None and shown.state not in ("none", "missing")
    return TagReport(
        name=row.name,
        digest=shown.digest if shown else None,
        kind=shown.state if shown and is_known else None,
        platform=str(shown.platform) if shown and shown.platform else None,
        platforms=shown.platforms if shown else 0,
        compressed_bytes=shown.compressed_bytes if shown else None,
        compressed_confidence=shown.compressed_confidence if shown else None,
        claimed_bytes=shown.claimed_bytes if shown else None,
        uncompressed_bytes=shown.uncompressed_bytes if shown else None,
        uncompressed_confidence=shown.uncompressed_confidence if shown else None,
        layers=shown.layers if shown else None,
        created_at=shown.created_at if shown else None,
        first_seen_at=row.first_seen_at,
        moved_at=row.moved_at,
        pushed_at=row.pushed_at,
        deleted_at=row.deleted_at,
        error_code=row.error_code,
        error_message=row.error_message,
        error_at=row.error_at,
        over=over,
    )
