"""The images that speak for targets, with what they weigh in a storage scope."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import BigInteger, Connection, bindparam, select

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.size.confidence import CompressedConfidence, Confidence
from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.facts.target_images import Graph, headline
from weighbridge.store.models import blobs, images, manifest_sizes
from weighbridge.store.sizes.manifest_sizes import (
    COMPRESSED_BYTES,
    COMPRESSED_CONFIDENCE,
    in_scope,
)

_IMAGES: Final = Rows(
    select(
        images.c.id,
        blobs.c.digest,
        images.c.created_at,
        COMPRESSED_BYTES,
        COMPRESSED_CONFIDENCE,
        manifest_sizes.c.uncompressed_bytes,
        manifest_sizes.c.uncompressed_confidence,
        images.c.layer_count,
        images.c.compressed_bytes.label("claimed_bytes"),
    )
    .select_from(
        in_scope(
            images.join(blobs, blobs.c.id == images.c.id),
            bindparam("scope", type_=BigInteger),
        )
    )
    .where(among_ids(images.c.id))
)


class Headline(NamedTuple):
    """The image that speaks for a target."""

    platform: Platform
    image_id: int
    digest: Digest
    created_at: datetime | None
    compressed_bytes: int
    compressed_confidence: CompressedConfidence
    uncompressed_bytes: int | None
    uncompressed_confidence: Confidence | None
    layers: int
    claimed_bytes: int


def read_headlines(
    connection: Connection,
    graph: Graph,
    targets: Collection[int],
    scope_id: int,
    platforms: Sequence[Platform],
) -> dict[int, Headline]:
    """Of those targets that lead to an image.

    platforms: in the order in which one of them speaks for an index
    """
    chosen: dict[int, tuple[Platform, int]] = {}
    for target in targets:
        found = headline(graph.images_of(target), platforms)
        if found is not None:
            chosen[target] = found
    ids = listed({image for _, image in chosen.values()})
    rows = _IMAGES.read(connection, {"ids": ids, "scope": scope_id})
    images_by_id = {row[0]: row for row in rows}
    return {
        target: Headline(platform, *images_by_id[image])
        for target, (platform, image) in chosen.items()
    }
