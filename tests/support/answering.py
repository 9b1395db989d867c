"""What a registry answers about blobs, kept as a crawl keeps it."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, select

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.size.confidence import MeasuredBlob, Uncompressed
from weighbridge.store.models import blobs
from weighbridge.store.session import Database
from weighbridge.store.sizes.blob_sizes import keep_measures
from weighbridge.store.sizes.manifest_sizes import Swept, sweep_manifests


def answer(
    database: Database,
    scope_id: int,
    answers: Mapping[Digest, MeasuredBlob | None],
    now: datetime,
) -> Swept:
    """Keep what a scope's registry answered, and sum up all that can be."""
    with database.write() as connection:
        left = keep_measures(connection, scope_id, answers, now)
    if left:
        rest = {digest: answers[digest] for digest in left}
        with database.write() as connection:
            keep_measures(connection, scope_id, rest, now, is_alone=True)
    return sweep(database, scope_id, now)


def sweep(database: Database, scope_id: int, now: datetime) -> Swept:
    """Sum up all that can be."""
    with database.write() as connection:
        found = sweep_all(connection, scope_id, now)
    if found.left:
        with database.write() as connection:
            alone = sweep_manifests(
                connection,
                scope_id,
                found.left,
                now,
                is_alone=True,
            )
        found.count += alone.count
        found.learned += alone.learned
        found.left = set()
    return found


def sweep_all(connection: Connection, scope_id: int, now: datetime) -> Swept:
    """The same, as far as it goes beside others."""
    ids = connection.execute(select(blobs.c.id)).scalars().all()
    return sweep_manifests(connection, scope_id, ids, now)


def as_claimed(
    connection: Connection, sizes: Mapping[Digest, Uncompressed]
) -> dict[Digest, MeasuredBlob]:
    """Answers of a registry where each blob is as long as was claimed first."""
    rows = connection.execute(select(blobs.c.digest, blobs.c.compressed_bytes))
    claims = {row.digest: row.compressed_bytes for row in rows}
    return {
        d: MeasuredBlob(claims[d], size) for d, size in sizes.items() if d in claims
    }


def keep_sizes(
    connection: Connection,
    scope_id: int,
    sizes: Mapping[Digest, Uncompressed],
    now: datetime,
) -> Swept:
    """Keep uncompressed sizes of blobs that are as long as was claimed, and sum up."""
    keep_measures(connection, scope_id, as_claimed(connection, sizes), now)
    return sweep_all(connection, scope_id, now)
