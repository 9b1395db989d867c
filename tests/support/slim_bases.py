"""Bases with slimmer variants, and images that stand on them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import select, update

from support.images import a_layer, an_image
from support.known_bases import KnownBases
from support.store_world import World
from weighbridge.domain.image.document import Image, Layer
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.store.models import base_chains, base_names, blobs
from weighbridge.store.session import Database

MB: Final = 1_000_000


class SlimBases:
    """What a crawl of bases leaves, beside a world of repositories."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.known = KnownBases(world.database, world.now)
        self.images: dict[str, Image] = {}

    def base(
        self,
        build: str,
        layers: Sequence[Layer],
        *tags: str,
        left_at: Mapping[str, datetime] | None = None,
        platform: Platform = DEFAULT,
    ) -> Image:
        """An image that is a base under these names (`library/python:3.7`)."""
        image = an_image(layers, platform=platform)
        self.world.keep(image)
        self.images[build] = image
        chain = self.known.base(
            build,
            *tags,
            compressed_bytes=image.compressed_bytes,
            layers=len(layers),
            left_at=left_at,
            platform=str(platform),
        )
        with self.world.database.write() as connection:
            number = select(blobs.c.id).where(blobs.c.digest == image.digest)
            connection.execute(
                update(base_chains)
                .where(base_chains.c.id == chain)
                .values(image_id=number.scalar_subquery())
            )
            connection.execute(
                update(base_names)
                .where(base_names.c.base_chain_id == chain)
                .values(digest=image.digest)
            )
        return image

    def child(self, build: str, own: Iterable[Layer]) -> Image:
        """An image on a base; it is kept, and where it is tagged is another matter."""
        base = self.images[build]
        image = an_image([*base.layers, *own], platform=base.platform)
        self.world.keep(image)
        self.known.stands_on(image.digest, build)
        return image


def three_repositories(database: Database) -> SlimBases:
    """Two on bases with variants, the heavier one first; one on the slim variant."""
    worlds = [World(database, repository=f"acme/{name}") for name in "abc"]
    bases = SlimBases(worlds[0])
    bases.base("full", [a_layer("full", 350 * MB)], "library/python:3.7")
    bases.base("slim", [a_layer("slim", 50 * MB)], "library/python:3.7-slim")
    bases.base("alpine", [a_layer("alpine", 31 * MB)], "library/python:3.7-alpine")
    bases.base("stretch", [a_layer("stretch", 45 * MB)], "library/debian:stretch")
    bases.base("thin", [a_layer("thin", 22 * MB)], "library/debian:stretch-slim")
    for world, build in zip(worlds, ("stretch", "full", "alpine"), strict=True):
        own = [a_layer(world.repository, 10 * MB)]
        world.crawl({"1": bases.child(build, own)})
    return bases
