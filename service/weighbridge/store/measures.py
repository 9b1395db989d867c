"""Uncompressed sizes of layers, and the totals made of them."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, exists, select, update

from weighbridge.domain.digest import Digest, raw
from weighbridge.domain.measure import Uncompressed
from weighbridge.domain.sizes import image_total
from weighbridge.domain.weighing import WeighedLayer
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.ledger.facts import IS_IMAGE
from weighbridge.store.models import blobs, images, layers, repository_summaries
from weighbridge.store.over_tags import note_weighed
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
_waiting = blobs.alias("waiting")
_READY: Final = (
    select(images.c.id)
    .join(blobs, blobs.c.id == images.c.id)
    .where(
        among_ids(images.c.id),
        images.c.uncompressed_confidence.is_(None),
        IS_IMAGE,
        ~exists().where(
            layers.c.image_id == images.c.id,
            layers.c.blob_id == _waiting.c.id,
            _waiting.c.uncompressed_confidence.is_(None),
        ),
    )
    .order_by(images.c.id)
)


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


def sweep_images(connection: Connection, image_ids: Collection[int]) -> int:
    """Give a total to those of these images whose layers are all measured; returns
    how many.

    Images are never updated as a layer is measured: a base layer may be in hundreds
    of thousands of them. Each gets its total here, once.
    """
    parameters = {"ids": listed(image_ids)}
    ids = list(connection.execute(_READY, parameters).scalars())
    for start in range(0, len(ids), _PIECE):
        piece = ids[start : start + _PIECE]
        found = load_layers(connection, piece)
        connection.execute(
            _SET_TOTAL, [_total_row(image, found.get(image, [])) for image in piece]
        )
    if ids:
        _show_totals(connection)
        note_weighed(connection, ids)
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
