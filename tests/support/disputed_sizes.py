"""A size that an image claims and its registry contradicts."""

from datetime import datetime

from sqlalchemy import insert, select

from support.store_world import World
from weighbridge.store.models import blob_sizes, repositories, repository_manifests
from weighbridge.store.sizes.blob_sizes import Dispute, note_disputes


def claim_wrongly(world: World, now: datetime) -> None:
    """Of the latest image of the world's repository it is said that it has 7 bytes,
    where the registry says 9."""
    live = repository_manifests.c
    latest = (
        select(repositories.c.scope_id, live.manifest_id)
        .where(
            live.repository_id == repositories.c.id,
            repositories.c.id == world.repository_id,
        )
        .order_by(live.manifest_id.desc())
        .limit(1)
    )
    with world.database.write() as connection:
        scope, manifest = connection.execute(latest).one()
        word = {"scope_id": scope, "blob_id": manifest, "registry_bytes": 9}
        asked = {"asked_at": now, "attempts": 0}
        connection.execute(insert(blob_sizes).values(**word, **asked))
        note_disputes(connection, scope, [Dispute(manifest, manifest, 7)], now)
