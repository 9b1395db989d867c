"""The images that speak for targets, with what they weigh in a storage scope."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import BigInteger, Connection, bindparam, select

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.size.confidence import CompressedConfidence, Confidence
from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.facts.target_images import headline, load_graph
from weighbridge.store.models import blobs, images, manifest_sizes
from weighbridge.store.sizes.manifest_sizes import (
    COMPRESSED_BYTES,
    COMPRESSED_CONFIDENCE,
    in_scope,
)

_PIECE: Final = 2_000
"""Targets whose children are in memory at once."""
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


class Headlines:
    """Those of targets; None: a target leads to no image.

    platforms: in the order in which one of them speaks for an index
    """

    def __init__(self, connection: Connection, platforms: Sequence[Platform]) -> None:
        self._connection = connection
        self._platforms = platforms
        self._known: dict[int, dict[int, Headline | None]] = {}

    def known(self, scope_id: int) -> Mapping[int, Headline | None]:
        """What is known of the targets of a storage scope; `read` changes it."""
        return self._known.setdefault(scope_id, {})

    def read(self, wanted: Mapping[int, Collection[int]], at_most: int) -> None:
        """Know these targets of each storage scope. Others are known from earlier, and
        forgotten where they are more than so many."""
        if sum(map(len, self._known.values())) > at_most:
            for known in self._known.values():
                known.clear()
        for scope_id, targets in wanted.items():
            known = self._known.setdefault(scope_id, {})
            new = sorted(set(targets) - known.keys())
            for start in range(0, len(new), _PIECE):
                piece = new[start : start + _PIECE]
                known |= dict.fromkeys(piece)
                known |= self._read(scope_id, piece)

    def _read(self, scope_id: int, targets: Sequence[int]) -> dict[int, Headline]:
        """Of those targets that lead to an image."""
        graph = load_graph(self._connection, targets)
        chosen: dict[int, tuple[Platform, int]] = {}
        for target in targets:
            found = headline(graph.images_of(target), self._platforms)
            if found is not None:
                chosen[target] = found
        ids = listed({image for _, image in chosen.values()})
        parameters = {"ids": ids, "scope": scope_id}
        rows = {row[0]: row for row in _IMAGES.read(self._connection, parameters)}
        return {
            target: Headline(platform, *rows[image])
            for target, (platform, image) in chosen.items()
        }
