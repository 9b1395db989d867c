"""The images of a stream, as far as limits and baselines need them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from weighbridge.domain.digest import Digest
from weighbridge.domain.measure import Confidence
from weighbridge.domain.platform import Platform, matches, pulled_for
from weighbridge.domain.sizes import weigh_image
from weighbridge.domain.weighing import WeighedImage
from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.models import blobs, images
from weighbridge.store.reach import Graph, headline, load_graph
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


@dataclass(frozen=True, slots=True)
class TargetImages:
    """What targets lead to.

    by_platform: the images of each target, by the name of the platform
    awaited:     targets that lead to none of the platforms yet, for want of a child
                 that could not be read
    """

    by_platform: Mapping[int, Mapping[str, StreamImage]]
    awaited: frozenset[int]


def images_of(
    connection: Connection, targets: Collection[int], platforms: Sequence[Platform]
) -> TargetImages:
    """The images that each target leads to; only those of the platforms, or where it
    has none of them the one that speaks for it."""
    graph = load_graph(connection, sorted(set(targets)))
    found = {target: graph.images_of(target) for target in targets}
    awaited = frozenset(
        target
        for target, images in found.items()
        if not any(matches(p, wanted) for p in images for wanted in platforms)
        and _lacks_one(graph, target, platforms)
    )
    chosen = {
        target: _of_platforms(images, platforms)
        for target, images in found.items()
        if target not in awaited
    }
    ids = {image for some in chosen.values() for image in some.values()}
    rows = _IMAGES.read(connection, {"ids": listed(sorted(ids))})
    known = {row[0]: StreamImage._make(row) for row in rows}
    by_platform = {
        target: {name: known[image] for name, image in some.items() if image in known}
        for target, some in chosen.items()
    }
    return TargetImages(by_platform, awaited)


def _lacks_one(graph: Graph, target: int, platforms: Sequence[Platform]) -> bool:
    """Whether an index says that there is an image which may be one of these."""
    return any(
        graph.nodes[member.child_id].state == "missing"
        and member.role in ("image", "index")
        and (
            member.platform is None
            or any(matches(member.platform, wanted) for wanted in platforms)
        )
        for member in graph.children_of(target)
    )


def _of_platforms(
    found: Mapping[Platform, int], platforms: Sequence[Platform]
) -> dict[str, int]:
    chosen: dict[str, int] = {}
    for wanted in platforms:
        platform = pulled_for(found, wanted)
        if platform is not None:
            chosen[str(wanted)] = found[platform]
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
