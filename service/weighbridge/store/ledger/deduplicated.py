"""The distinct bytes of repositories: added to, or counted anew."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, bindparam, func, select, union

from weighbridge.domain.sharing import moved_total
from weighbridge.store.dialect import BulkUpdate, among_ids, listed
from weighbridge.store.ledger.blob_expressions import HAS_FACTS, STORED_BYTES, sized
from weighbridge.store.ledger.sums import exact_sum, sum_of
from weighbridge.store.models import (
    artifacts,
    blobs,
    images,
    layers,
    repositories,
    repository_manifests,
    repository_summaries,
)
from weighbridge.store.models.types import LARGEST, bounded

_summary = repository_summaries.c
_STORED: Final = (
    select(_summary.repository_id, _summary.deduplicated_bytes)
    .where(among_ids(_summary.repository_id))
    .order_by(_summary.repository_id)
    .with_for_update()
)
_SET: Final = BulkUpdate(
    repository_summaries,
    key=("repository_id",),
    values=("deduplicated_bytes",),
    also={"revision": _summary.revision + 1},
)
# From its manifests and not from its rows: those of the whole scope lie between.
_LIVE: Final = (
    select(repository_manifests.c.manifest_id)
    .join(blobs, blobs.c.id == repository_manifests.c.manifest_id)
    .where(repository_manifests.c.repository_id == bindparam("repository"), HAS_FACTS)
    .subquery()
)
_OF_REPOSITORY: Final = union(
    select(_LIVE.c.manifest_id.label("blob_id")),
    select(images.c.config_id).join(_LIVE, _LIVE.c.manifest_id == images.c.id),
    select(artifacts.c.config_id).join(_LIVE, _LIVE.c.manifest_id == artifacts.c.id),
    select(layers.c.blob_id).join(_LIVE, _LIVE.c.manifest_id == layers.c.image_id),
).subquery()
_CONFIGS: Final = (
    select(
        _LIVE.c.manifest_id, func.coalesce(images.c.config_id, artifacts.c.config_id)
    )
    .outerjoin(images, images.c.id == _LIVE.c.manifest_id)
    .outerjoin(artifacts, artifacts.c.id == _LIVE.c.manifest_id)
)
_EXACT: Final = (
    select(*exact_sum(STORED_BYTES, "held"))
    .select_from(
        sized(
            blobs,
            select(repositories.c.scope_id)
            .where(repositories.c.id == bindparam("repository"))
            .scalar_subquery(),
        )
    )
    .where(blobs.c.id.in_(select(_OF_REPOSITORY.c.blob_id)))
)


def add_deduplicated(connection: Connection, deltas: Mapping[int, int]) -> None:
    """Add to the bytes that repositories hold, each blob counted once."""
    ids = sorted(repository for repository, delta in deltas.items() if delta)
    if not ids:
        return
    stored = connection.execute(_STORED, {"ids": listed(ids)}).all()
    _SET.set(
        connection,
        [(r, new_total(connection, r, total, deltas[r])) for r, total in stored],
    )


def new_total(connection: Connection, repository_id: int, total: int, more: int) -> int:
    """What a repository's stored total becomes; counted anew where what is stored
    cannot tell. Its row must be locked."""
    moved = moved_total(total, more, LARGEST)
    if moved is not None:
        return moved
    row = connection.execute(_EXACT, {"repository": repository_id}).one()
    return bounded(sum_of(row, "held"))


def configs_of(connection: Connection, repository_id: int) -> dict[int, int | None]:
    """The live manifests of a repository that are kept, each with its config."""
    rows = connection.execute(_CONFIGS, {"repository": repository_id})
    return {row[0]: row[1] for row in rows}
