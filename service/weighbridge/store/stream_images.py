"""The images of a stream, as far as limits and baselines need them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from weighbridge.domain.digest import Digest
from weighbridge.domain.measure import Confidence
from weighbridge.domain.platform import Platform, matches
from weighbridge.domain.sizes import weigh_image
from weighbridge.domain.weighing import WeighedImage
from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.models import blobs, images
from weighbridge.store.reach import headline, load_graph
from weighbridge.store.stored_images import load_images

_IMAGES: Final = Rows(
    select(
        images.c.id,
        blobs.c.digest,
        images.c.created_at,
        images.c.compressed_bytes,
        images.c.layer_count,
        images.c.uncompressed_bytes,
        images.c.uncompressed_confidence,
    )
    .join_from(images, blobs, blobs.c.id == images.c.id)
    .where(among_ids(images.c.id))
)


class StreamImage(NamedTuple):
    """An image; without `uncompressed_confidence` it is still to be measured."""

    id: int
    digest: Digest
    created_at: datetime | None
    compressed_bytes: int
    layers: int
    uncompressed_bytes: int | None
    uncompressed_confidence: Confidence | None


def images_of(
    connection: Connection, targets: Collection[int], platforms: Sequence[Platform]
) -> dict[int, dict[str, StreamImage]]:
    """The images that each target leads to, by the name of the platform; only those
    of the platforms, or where it has none of them the one that speaks for it."""
    graph = load_graph(connection, sorted(set(targets)))
    chosen = {
        target: _of_platforms(graph.images_of(target), platforms) for target in targets
    }
    ids = {image for by_platform in chosen.values() for image in by_platform.values()}
    rows = _IMAGES.read(connection, {"ids": listed(sorted(ids))})
    found = {row[0]: StreamImage._make(row) for row in rows}
    return {
        target: {
            name: found[image] for name, image in by_platform.items() if image in found
        }
        for target, by_platform in chosen.items()
    }


def _of_platforms(
    found: Mapping[Platform, int], platforms: Sequence[Platform]
) -> dict[str, int]:
    chosen: dict[str, int] = {}
    for wanted in platforms:
        for platform, image in found.items():
            if matches(platform, wanted):
                chosen.setdefault(str(wanted), image)
    if not chosen and (leading := headline(found, platforms)) is not None:
        platform, image = leading
        # A version of Windows is another one with every build.
        chosen[str(replace(platform, os_version=""))] = image
    return chosen


def weighed_images(
    connection: Connection, image_ids: Collection[int]
) -> dict[int, WeighedImage]:
    """These images with all layers and lines; one that was pruned is left out."""
    stored = load_images(connection, sorted(set(image_ids)))
    return {n: weigh_image(one.image, one.measured) for n, one in stored.items()}
