"""Uncompressed sizes: which layers wait for one, and the totals made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, exists, select, update

from weighbridge.domain.digest import Digest, raw
from weighbridge.domain.document import Layer
from weighbridge.domain.measure import Uncompressed
from weighbridge.domain.sizes import image_total
from weighbridge.domain.weighing import WeighedLayer
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.models import (
    blobs,
    images,
    layers,
    media_types,
    repositories,
    repository_manifests,
    repository_summaries,
)
from weighbridge.store.stored_images import StoredLayer, load_layers
from weighbridge.store.types import bounded

_PIECE: Final = 500
"""Images whose layers are in memory at once."""

_SET_MEASURE: Final = (
    update(blobs)
    .where(
        blobs.c.digest == bindparam("blob_digest"),
        # Once measured, for ever: other images' totals are made of it.
        blobs.c.uncompressed_confidence.is_(None),
    )
    .values(
        unmeasured_bytes=None,
        uncompressed_confidence=bindparam("confidence"),
        uncompressed_bytes=bindparam("value"),
        uncompressed_low_bytes=bindparam("low"),
        uncompressed_high_bytes=bindparam("high"),
        uncompressed_reason=bindparam("reason"),
        measured_at=bindparam("moment"),
    )
)
_SET_TOTAL: Final = (
    update(images)
    .where(images.c.id == bindparam("image"))
    .values(
        uncompressed_confidence=bindparam("confidence"),
        uncompressed_bytes=bindparam("value"),
    )
)


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A layer to measure, and a repository of the registry that serves it.

    other_claims: what other manifests say of its size: the first claim is as likely
        to be the false one
    """

    layer: Layer
    repository: str
    other_claims: tuple[int, ...] = ()


def unmeasured_layers(
    connection: Connection, registry_id: int, limit: int
) -> list[Unmeasured]:
    """Layers of the registry's live images without a measure, largest first."""
    serving = (
        select(repositories.c.name)
        .join_from(
            layers,
            repository_manifests,
            repository_manifests.c.manifest_id == layers.c.image_id,
        )
        .join(repositories, repositories.c.id == repository_manifests.c.repository_id)
        .where(
            layers.c.blob_id == blobs.c.id, repositories.c.registry_id == registry_id
        )
        .limit(1)
        .scalar_subquery()
    )
    waiting = (
        select(
            blobs.c.id,
            blobs.c.digest,
            blobs.c.has_conflict,
            blobs.c.unmeasured_bytes,
            blobs.c.annotated_uncompressed_bytes,
            media_types.c.text.label("media_type"),
            serving.label("repository"),
        )
        .outerjoin(media_types, media_types.c.id == blobs.c.media_type_id)
        .where(blobs.c.unmeasured_bytes.is_not(None))
        .subquery()
    )
    rows = connection.execute(
        select(waiting)
        .where(waiting.c.repository.is_not(None))
        .order_by(waiting.c.unmeasured_bytes.desc())
        .limit(limit)
    ).all()
    claims = _other_claims(connection, [row.id for row in rows if row.has_conflict])
    return [
        Unmeasured(
            Layer(
                media_type=row.media_type or "",
                digest=row.digest,
                compressed_bytes=row.unmeasured_bytes,
                annotated_uncompressed_bytes=row.annotated_uncompressed_bytes,
            ),
            row.repository,
            tuple(claims.get(row.id, ())),
        )
        for row in rows
    ]


def _other_claims(
    connection: Connection, blob_ids: Sequence[int]
) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    if not blob_ids:
        return found
    rows = connection.execute(
        select(layers.c.blob_id, layers.c.claimed_bytes)
        .where(among_ids(layers.c.blob_id), layers.c.claimed_bytes.is_not(None))
        .distinct()
        .order_by(layers.c.blob_id, layers.c.claimed_bytes),
        {"ids": listed(blob_ids)},
    )
    for row in rows:
        found.setdefault(row.blob_id, []).append(row.claimed_bytes)
    return found


def keep_measures(
    connection: Connection, measures: Mapping[Digest, Uncompressed], now: datetime
) -> None:
    """Keep what layers were found to hold; a layer that has a measure keeps it."""
    rows = [
        {
            "blob_digest": digest,
            "confidence": measure.confidence,
            "value": _bounded(measure.uncompressed_bytes),
            "low": _bounded(measure.low_bytes),
            "high": _bounded(measure.high_bytes),
            "reason": measure.reason,
            "moment": now,
        }
        for digest, measure in sorted(measures.items(), key=lambda item: raw(item[0]))
    ]
    if rows:
        connection.execute(_SET_MEASURE, rows)


def _bounded(number: int | None) -> int | None:
    return None if number is None else bounded(number)


def sweep_images(connection: Connection) -> int:
    """Give a total to every image whose layers are all measured; returns how many.

    Images are never updated as a layer is measured: a base layer may be in hundreds
    of thousands of them. Each gets its total here, once.
    """
    is_waiting = exists().where(
        layers.c.image_id == images.c.id,
        layers.c.blob_id == blobs.c.id,
        blobs.c.uncompressed_confidence.is_(None),
    )
    # `own` and not `blobs`, which is the layers' within `is_waiting`.
    own = blobs.alias("own")
    ready = (
        select(images.c.id)
        .join(own, own.c.id == images.c.id)
        .where(
            own.c.facts_state == "image",
            images.c.uncompressed_confidence.is_(None),
            ~is_waiting,
        )
    )
    ids = list(connection.execute(ready).scalars())
    for start in range(0, len(ids), _PIECE):
        piece = ids[start : start + _PIECE]
        found = load_layers(connection, piece)
        connection.execute(
            _SET_TOTAL, [_total_row(image, found.get(image, [])) for image in piece]
        )
    if ids:
        _show_totals(connection)
    return len(ids)


def _total_row(image_id: int, stored: list[StoredLayer]) -> dict[str, object]:
    total = image_total(
        [
            WeighedLayer(
                digest=item.layer.digest,
                media_type=item.layer.media_type,
                compressed_bytes=item.layer.compressed_bytes,
                is_foreign=item.layer.is_foreign,
                uncompressed=item.measured,
            )
            for item in stored
        ]
    )
    return {
        "image": image_id,
        "confidence": total.confidence,
        "value": _bounded(total.uncompressed_bytes),
    }


def _show_totals(connection: Connection) -> None:
    """Let the read model have the totals that its newest images were waiting for."""
    summary = repository_summaries.c
    connection.execute(
        update(repository_summaries)
        .where(
            summary.newest_image_id == images.c.id,
            summary.newest_uncompressed_confidence.is_(None),
            images.c.uncompressed_confidence.is_not(None),
        )
        .values(
            newest_uncompressed_confidence=images.c.uncompressed_confidence,
            newest_uncompressed_bytes=images.c.uncompressed_bytes,
            revision=summary.revision + 1,
        )
    )
