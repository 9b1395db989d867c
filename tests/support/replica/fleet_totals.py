"""The totals of a made-up fleet by arithmetic: repository after repository.

What several repositories can have in common is few things: bases, and the images of
a repository that another one copies. So nothing has to be kept but the bases' holders.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from support.replica.fleet import ERA, GROUP, Fleet, Tags, repository_name
from support.replica.fleet_images import (
    Layer,
    base_layers,
    base_of,
    build_image,
    group_layers,
    own_layers,
)
from support.replica.totals import RegistryTotals, RepositoryTotals, ScopeTotals


@dataclass(frozen=True, slots=True)
class _Images:
    """Bytes of the first images of an origin.

    own:    of each image, its documents and its own layers
    groups: of each group of images, the layers they have in common
    bases:  of each image, its base's layers
    documents_bytes: manifest and config, the same of every image
    """

    own: Sequence[int]
    groups: Sequence[int]
    bases: Sequence[int]
    documents_bytes: int

    def stored_bytes(self, image: int) -> int:
        return self.own[image] + self.groups[image // GROUP] + self.bases[image]

    def first_bytes(self, images: int) -> int:
        """What the first so many hold, bases left out."""
        return sum(self.own[:images]) + sum(self.groups[: _groups(images)])


def fleet_totals(fleet: Fleet) -> RegistryTotals:
    """All totals, of a registry that keeps every blob once."""
    holders = _base_holders(fleet)
    documents_bytes = _documents_bytes(fleet)
    repositories: dict[str, RepositoryTotals] = {}
    images = weighed = 0
    shared = sum(y.compressed_bytes for y, count in holders.items() if count > 1)
    for number in range(fleet.repositories):
        tags = fleet.tags_of(number)
        other = fleet.copy_of(number)
        theirs = 0 if other is None else fleet.tags_of(other).images
        made = _images(
            fleet, fleet.origin(number), max(tags.images, theirs), documents_bytes
        )
        totals = _repository(fleet, number, made, theirs, holders)
        repositories[repository_name(number)] = totals
        if fleet.origin(number) == number:
            pulled = _pulled_bytes(made, max(tags.images, theirs))
            images += max(tags.images, theirs)
            weighed += pulled
            shared += made.first_bytes(min(tags.images, theirs))
    exclusive = sum(totals.exclusive_bytes for totals in repositories.values())
    scope = ScopeTotals(exclusive + shared, shared)
    return RegistryTotals(images, weighed, {"": scope}, repositories)


def _repository(
    fleet: Fleet, number: int, made: _Images, theirs: int, holders: Counter[Layer]
) -> RepositoryTotals:
    tags = fleet.tags_of(number)
    bases = _bases(fleet, number)
    held = made.first_bytes(tags.images)
    in_common = made.first_bytes(min(tags.images, theirs))
    sole = [layer for layer in bases if holders[layer] == 1]
    return RepositoryTotals(
        tags=len(tags),
        images=tags.images,
        deduplicated_bytes=held + _sum(bases),
        exclusive_bytes=held - in_common + _sum(sole),
        referenced_bytes=_referenced_bytes(made, tags),
        weighed_bytes=_pulled_bytes(made, tags.images),
    )


def _referenced_bytes(made: _Images, tags: Tags) -> int:
    return sum(
        tags.tags_of_image(image) * made.stored_bytes(image)
        for image in range(tags.images)
    )


def _pulled_bytes(made: _Images, images: int) -> int:
    stored = sum(made.stored_bytes(image) for image in range(images))
    return stored - images * made.documents_bytes


@lru_cache(2)
def _images(fleet: Fleet, origin: int, count: int, documents_bytes: int) -> _Images:
    """Two are kept: a copy comes right after its origin."""
    bases = [
        _sum(base_layers(base_of(fleet, origin, image)))
        for image in range(0, count, ERA)
    ]
    return _Images(
        own=[documents_bytes + _sum(own_layers(origin, n)) for n in range(count)],
        groups=[_sum(group_layers(origin, n)) for n in range(_groups(count))],
        bases=[bases[image // ERA] for image in range(count)],
        documents_bytes=documents_bytes,
    )


def _documents_bytes(fleet: Fleet) -> int:
    built = build_image(fleet, 0, 0)
    return len(built.manifest.content) + len(built.config)


def _base_holders(fleet: Fleet) -> Counter[Layer]:
    """How many repositories hold each layer of a base."""
    holders: Counter[Layer] = Counter()
    for number in range(fleet.repositories):
        holders.update(_bases(fleet, number))
    return holders


def _bases(fleet: Fleet, number: int) -> set[Layer]:
    """The base layers that a repository holds."""
    origin, images = fleet.origin(number), fleet.tags_of(number).images
    bases = {base_of(fleet, origin, image) for image in range(0, images, ERA)}
    return {layer for base in bases for layer in base_layers(base)}


def _groups(images: int) -> int:
    return -(-images // GROUP)


def _sum(layers: Iterable[Layer]) -> int:
    return sum(layer.compressed_bytes for layer in layers)
