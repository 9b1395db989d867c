"""Images as values again: from rows back to what the parsers once made."""

import json
from collections.abc import Collection, Iterable
from typing import Final

from msgspec import Struct
from sqlalchemy import BigInteger, Connection, Row, bindparam, func, select

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import (
    Descriptor,
    Image,
    Layer,
    Line,
    Manifest,
    Problem,
)
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.size.confidence import MeasuredBlob, Uncompressed
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.ledger.blob_expressions import sized
from weighbridge.store.models import (
    blob_sizes,
    blobs,
    images,
    instructions,
    layers,
    lines,
    media_types,
    platforms,
)
from weighbridge.store.models.types import moment_of

NOT_MEASURED: Final = Uncompressed("unknown", None, None, None, "not_asked")
"""The uncompressed size of a blob whose length alone was asked for."""

NO_SCOPE: Final = 0
"""No storage scope: every size is claimed."""

_config = blobs.alias("config")
_config_type = media_types.alias("config_type")
_IMAGES: Final = (
    select(
        images,
        blobs.c.digest,
        func.coalesce(blobs.c.read_bytes, blobs.c.compressed_bytes).label(
            "manifest_bytes"
        ),
        media_types.c.text.label("media_type"),
        platforms.c.os,
        platforms.c.architecture,
        platforms.c.variant,
        platforms.c.os_version,
        _config.c.digest.label("config_digest"),
        func.coalesce(_config.c.read_bytes, _config.c.compressed_bytes).label(
            "config_bytes"
        ),
        _config_type.c.text.label("config_media_type"),
        lines.c.entries,
    )
    .join_from(images, blobs, blobs.c.id == images.c.id)
    .join(media_types, media_types.c.id == blobs.c.media_type_id)
    .join(platforms, platforms.c.id == images.c.platform_id)
    .join(_config, _config.c.id == images.c.config_id)
    .join(_config_type, _config_type.c.id == _config.c.media_type_id)
    .join(lines, lines.c.image_id == images.c.id)
    .where(among_ids(images.c.id))
)
_LAYERS: Final = (
    select(
        layers.c.image_id,
        layers.c.blob_id,
        func.coalesce(layers.c.claimed_bytes, blobs.c.compressed_bytes).label(
            "claimed_bytes"
        ),
        blobs.c.digest,
        layers.c.is_foreign,
        layers.c.annotated_uncompressed_bytes,
        blobs.c.has_conflict,
        media_types.c.text.label("media_type"),
        blob_sizes.c.registry_bytes,
        blob_sizes.c.claim_reason,
        blob_sizes.c.seen_format,
        blob_sizes.c.uncompressed_confidence,
        blob_sizes.c.uncompressed_bytes,
        blob_sizes.c.uncompressed_low_bytes,
        blob_sizes.c.uncompressed_high_bytes,
        blob_sizes.c.uncompressed_reason,
    )
    .select_from(
        sized(
            layers.join(blobs, blobs.c.id == layers.c.blob_id).join(
                media_types,
                media_types.c.id
                == func.coalesce(layers.c.media_type_id, blobs.c.media_type_id),
            ),
            bindparam("scope", type_=BigInteger),
        )
    )
    .where(among_ids(layers.c.image_id))
    .order_by(layers.c.image_id, layers.c.position)
)
_INSTRUCTIONS: Final = select(instructions.c.id, instructions.c.text).where(
    among_ids(instructions.c.id)
)


class StoredImage(Struct, frozen=True):
    """An image with what its layers were found to hold.

    conflicts: blobs of it that another document claimed another size for
    """

    image: Image
    measured: dict[Digest, MeasuredBlob]
    conflicts: tuple[Digest, ...]


class StoredLayer(Struct, frozen=True):
    """A layer, with what the registry answered (None: nothing yet).

    has_conflict: documents disagree about its size, and there is no word on it
    """

    blob_id: int
    layer: Layer
    measured: MeasuredBlob | None
    has_conflict: bool


def load_images(
    connection: Connection, image_ids: Collection[int], scope_id: int = NO_SCOPE
) -> dict[int, StoredImage]:
    """The images of these ids, with the word of a scope's registry on their layers.
    Their `diff_ids` are not kept and are empty."""
    parameters = {"ids": listed(image_ids)}
    rows = connection.execute(_IMAGES, parameters).all()
    found = load_layers(connection, image_ids, scope_id)
    entries = {row.id: json.loads(row.entries) for row in rows}
    texts = _texts(connection, (e[0] for image in entries.values() for e in image))
    return {
        row.id: _stored(row, found.get(row.id, []), _lines(entries[row.id], texts))
        for row in rows
    }


def load_layers(
    connection: Connection, image_ids: Collection[int], scope_id: int = NO_SCOPE
) -> dict[int, list[StoredLayer]]:
    """The layers of each image in order, base first, every occurrence."""
    found: dict[int, list[StoredLayer]] = {}
    parameters = {"ids": listed(image_ids), "scope": scope_id}
    for row in connection.execute(_LAYERS, parameters):
        layer = Layer(
            media_type=row.media_type,
            digest=row.digest,
            compressed_bytes=row.claimed_bytes,
            is_foreign=row.is_foreign,
            annotated_uncompressed_bytes=row.annotated_uncompressed_bytes,
        )
        is_open = row.has_conflict and row.registry_bytes is None
        stored = StoredLayer(row.blob_id, layer, _measured(row), is_open)
        found.setdefault(row.image_id, []).append(stored)
    return found


def _measured(row: Row[*tuple[object, ...]]) -> MeasuredBlob | None:
    if row.registry_bytes is None and row.claim_reason is None:
        return None
    size = NOT_MEASURED
    if row.uncompressed_confidence is not None:
        size = Uncompressed(
            row.uncompressed_confidence,
            row.uncompressed_bytes,
            row.uncompressed_low_bytes,
            row.uncompressed_high_bytes,
            row.uncompressed_reason or "",
        )
    return MeasuredBlob(
        row.registry_bytes, size, row.claim_reason or "", row.seen_format
    )


def _stored(
    row: Row[*tuple[object, ...]], stored: list[StoredLayer], steps: tuple[Line, ...]
) -> StoredImage:
    config = Descriptor(row.config_media_type, row.config_digest, row.config_bytes)
    manifest = Manifest(
        digest=row.digest,
        media_type=row.media_type,
        manifest_bytes=row.manifest_bytes,
        config=config,
        layers=tuple(item.layer for item in stored),
    )
    image = Image(
        manifest=manifest,
        platform=Platform(row.os, row.architecture, row.variant, row.os_version),
        created_at=row.created_at,
        diff_ids=(),
        lines=steps,
        history_alignment=row.history_alignment,
        problems=tuple(Problem(*pair) for pair in json.loads(row.problems or "[]")),
    )
    return StoredImage(
        image,
        {i.layer.digest: i.measured for i in stored if i.measured is not None},
        tuple(dict.fromkeys(i.layer.digest for i in stored if i.has_conflict)),
    )


def _texts(connection: Connection, ids: Iterable[int]) -> dict[int, str]:
    parameters = {"ids": listed(set(ids))}
    return {row.id: row.text for row in connection.execute(_INSTRUCTIONS, parameters)}


def _lines(
    entries: list[tuple[int, int | None, int | None]], texts: dict[int, str]
) -> tuple[Line, ...]:
    return tuple(
        Line(texts[text], None if created is None else moment_of(created), layer)
        for text, created, layer in entries
    )
