"""Claims about sizes that registries contradict, the latest first."""

from collections.abc import Collection, Mapping
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, and_, bindparam, case, or_, select

from weighbridge.domain.access.principal import Sight
from weighbridge.domain.report.inventory import DisputeReport, Page
from weighbridge.store.dialect import among_ids, join_in_order, listed
from weighbridge.store.ledger.expressions import sized
from weighbridge.store.models import (
    blob_sizes,
    blobs,
    disputes,
    index_members,
    manifest_sizes,
    registries,
    repositories,
    repository_manifests,
    tags,
)
from weighbridge.store.named_rows import NAMES, from_row
from weighbridge.store.paging import (
    NUMBER,
    CursorForm,
    check_limit,
    one_of,
    read_cursor,
    write_cursor,
)
from weighbridge.store.sizes.manifest_sizes import in_scope

TAGS: Final = 10
"""So many tags of an image are named."""
DISPUTE_CURSOR: Final = CursorForm(one_of("disputes"), NUMBER, NUMBER)
_live = repository_manifests.c
_manifest = blobs.alias("manifest")
_KNOWN: Final = case(
    (disputes.c.source == "bulk", manifest_sizes.c.compressed_bytes),
    else_=blob_sizes.c.registry_bytes,
)
_disputed = (
    join_in_order(
        join_in_order(
            disputes, repository_manifests, _live.manifest_id == disputes.c.manifest_id
        ),
        repositories,
        and_(
            repositories.c.id == _live.repository_id,
            repositories.c.scope_id == disputes.c.scope_id,
        ),
    )
    .join(registries, registries.c.id == repositories.c.registry_id)
    .join(_manifest, _manifest.c.id == disputes.c.manifest_id)
    .join(blobs, blobs.c.id == disputes.c.blob_id)
)
_scope = disputes.c.scope_id
_ROWS: Final = (
    select(
        disputes,
        repositories.c.id.label("repository_id"),
        *NAMES,
        _manifest.c.digest.label("image"),
        blobs.c.digest,
        _KNOWN.label("registry_bytes"),
    )
    .select_from(in_scope(sized(_disputed, _scope), _scope, disputes.c.manifest_id))
    # What the registry has corrected since is not disputed any more.
    .where(disputes.c.claimed_bytes != _KNOWN, repositories.c.deleted_at.is_(None))
    .order_by(disputes.c.id.desc(), repositories.c.id.desc())
)
_INDEXES: Final = (
    select(index_members.c.index_id, index_members.c.child_id)
    .join(repository_manifests, _live.manifest_id == index_members.c.index_id)
    .where(
        _live.repository_id == bindparam("repository"),
        among_ids(index_members.c.child_id),
    )
)
_TAGS: Final = (
    select(tags.c.target_id, tags.c.name)
    .where(
        tags.c.repository_id == bindparam("repository"),
        tags.c.deleted_at.is_(None),
        among_ids(tags.c.target_id),
    )
    .order_by(tags.c.natural_key, tags.c.name)
)


class DisputeQuery(Struct, frozen=True):
    """Which disputes; None: of all. team: whoever asks finds out what is this one's,
    and hands it to `dispute_page` as what is seen"""

    registry: str | None = None
    repository: str | None = None
    team: str | None = None
    limit: int = 100
    cursor: str | None = None


def dispute_page(
    connection: Connection, query: DisputeQuery, sight: Sight | None = None
) -> Page[DisputeReport]:
    """One page, the latest first. Raises UsageError(invalid_limit, invalid_cursor).

    sight: which repositories are seen, None: all
    """
    limit = check_limit(query.limit)
    statement = _ROWS.limit(limit + 1)
    given: Mapping[str, object] = {}
    if sight is not None:
        given = {"seen": listed(sorted(sight.ids))}
        statement = statement.where(among_ids(repositories.c.id, "seen"))
    if query.registry is not None:
        statement = statement.where(registries.c.name == query.registry)
    if query.repository is not None:
        statement = statement.where(repositories.c.name == query.repository)
    if query.cursor is not None:
        _, last, repository = read_cursor(query.cursor, DISPUTE_CURSOR)
        statement = statement.where(
            or_(
                disputes.c.id < last,
                and_(disputes.c.id == last, repositories.c.id < repository),
            )
        )
    rows = connection.execute(statement, given).all()
    shown = rows[:limit]
    names = {
        repository: _tags_of(
            connection,
            repository,
            {row.manifest_id for row in shown if row.repository_id == repository},
        )
        for repository in {row.repository_id for row in shown}
    }
    items = tuple(
        from_row(
            DisputeReport,
            row._mapping,
            tags=tuple(names[row.repository_id].get(row.manifest_id, [])[:TAGS]),
        )
        for row in shown
    )
    following = None
    if len(rows) > limit:
        last_row = shown[-1]
        following = write_cursor("disputes", last_row.id, last_row.repository_id)
    return Page(items, following)


def _tags_of(
    connection: Connection, repository_id: int, manifest_ids: Collection[int]
) -> Mapping[int, list[str]]:
    """The tags that lead to these manifests, straight or through an index."""
    parameters = {"repository": repository_id, "ids": listed(sorted(manifest_ids))}
    leads: dict[int, set[int]] = {manifest: {manifest} for manifest in manifest_ids}
    for index, child in connection.execute(_INDEXES, parameters):
        leads.setdefault(index, set()).add(child)
    targets = {"repository": repository_id, "ids": listed(sorted(leads))}
    found: dict[int, list[str]] = {}
    for target, name in connection.execute(_TAGS, targets):
        for manifest in leads[target]:
            found.setdefault(manifest, []).append(name)
    return found
