"""A registry of a million tags, each made when it is asked for; memory stays flat."""

from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from support.replica.fleet import Fleet
from support.replica.fleet_images import FleetImage, build_image, find_layer
from weighbridge.demo.content.stored_documents import Served
from weighbridge.demo.content.virtual_blobs import Blob, virtual_blob, whole_blob
from weighbridge.domain.image.digest import is_digest

_REMEMBERED: Final = 65_536
"""Images that can be asked for by digest: a client does so right after the tag."""
_KEPT: Final = 4_096
"""Images whose documents are kept, most of them about to be asked for."""


class FleetContent:
    """What `weighbridge.demo.content.shelf.RegistryContent` asks for, of a fleet.

    A manifest by its digest, and a config, are known for a while after a tag of that
    image was asked for; layers always.
    """

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self._places: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._tags = lru_cache(_KEPT)(fleet.tags_of)
        self._image = lru_cache(_KEPT)(self._build)

    def repositories(self) -> Sequence[str]:
        return self.fleet.names

    def tags(self, repository: str) -> Sequence[str] | None:
        number = self.fleet.number(repository)
        return None if number is None else self._tags(number)

    def manifest(self, repository: str, reference: str) -> Served | None:
        number = self.fleet.number(repository)
        if number is None:
            return None
        image = self._tags(number).find_image(reference)
        if image is None:
            found = self._find(number, reference)
            is_it = found is not None and found.manifest.digest == reference
            return found.manifest if found is not None and is_it else None
        return self._image(self.fleet.origin(number), image).manifest

    def blob(self, repository: str, digest: str) -> Blob | None:
        number = self.fleet.number(repository)
        if number is None or not is_digest(digest):
            return None
        if (found := self._find(number, digest)) is not None:
            is_it = found.config_digest == digest
            return whole_blob(found.config) if is_it else None
        if (layer := find_layer(digest)) is None:
            return None
        size = layer.compressed_bytes
        return virtual_blob(layer.digest, "gzip", size, size * 5 // 2)

    def _find(self, repository: int, digest: str) -> FleetImage | None:
        place = self._places.get(digest)
        if place is None or place[0] != self.fleet.origin(repository):
            return None
        has_it = place[1] < self._tags(repository).images
        return self._image(*place) if has_it else None

    def _build(self, origin: int, image: int) -> FleetImage:
        built = build_image(self.fleet, origin, image)
        for digest in (built.manifest.digest, built.config_digest):
            self._places[digest] = origin, image
            self._places.move_to_end(digest)
        while len(self._places) > 2 * _REMEMBERED:
            self._places.popitem(last=False)
        return built
