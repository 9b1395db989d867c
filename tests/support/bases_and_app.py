"""Images that are built on one another, and repositories of bases beside an
application's."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec.structs import replace
from sqlalchemy import select

from support.images import a_digest, a_layer, an_image, an_index_of
from support.store_world import World
from weighbridge.domain.base.base_repositories import BasePlace
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import (
    AnnotatedBase,
    Document,
    Image,
    Layer,
    Line,
)
from weighbridge.domain.image.image_base import BaseInWords
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.image.reference import parse_reference
from weighbridge.store.bases.image_bases import load_bases
from weighbridge.store.bases.marks import mark_bases
from weighbridge.store.maintenance.base_sweep import sweep_bases
from weighbridge.store.models import blobs
from weighbridge.store.session import Database

ROOT: Final = a_layer("root", 40_000)
TOOLS: Final = a_layer("tools", 9_000)
BUILT_AT: Final = datetime(2024, 5, 6, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)


def built(
    layers: Sequence[Layer],
    *more: str,
    below: Image | None = None,
    at: datetime = BUILT_AT,
    platform: Platform | None = None,
    says: str | None = None,
    digest: str | None = None,
) -> Image:
    """An image with these layers on top of another one's, each with a RUN line; then
    lines without a layer."""
    lines = list(below.lines) if below else []
    under = below.layers if below else ()
    lines += [
        Line(f"RUN {layer.digest[7:15]}", at, len(under) + n)
        for n, layer in enumerate(layers)
    ]
    lines += [Line(text, at, None) for text in more]
    image = an_image([*under, *layers], lines=lines)
    if platform is not None:
        image = replace(image, platform=platform)
    # Its config differs, so that its digest does.
    manifest = replace(image.manifest, digest=a_digest(repr((image, says, digest))))
    if says or digest:
        manifest = replace(
            manifest,
            base=AnnotatedBase(
                parse_reference(says) if says else None,
                Digest(digest) if digest else None,
            ),
        )
    return replace(image, manifest=manifest)


DEBIAN: Final = built([ROOT], 'CMD ["bash"]')
PYTHON: Final = built([TOOLS], 'CMD ["python3"]', below=DEBIAN, at=BUILT_AT + HOUR)
APP: Final = built([a_layer("app")], below=PYTHON, at=BUILT_AT + 2 * HOUR)
ON_DEBIAN: Final = built([a_layer("app")], below=DEBIAN, at=BUILT_AT + HOUR)


class BasesAndApp:
    """An application's repository, and repositories of bases beside it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.app = World(database)
        self._bases: dict[str, World] = {}
        self._children: dict[Digest, Sequence[Image]] = {}

    def base(
        self,
        name: str,
        tags: Mapping[str, Document],
        deleted: Sequence[str] = (),
        *,
        is_marked: bool = True,
    ) -> None:
        """Where the tags of a base's repository lead now."""
        world = self._bases.get(name) or World(self.database, repository=name)
        self._bases[name] = world
        world.now = max(world.now, self.app.now)
        if is_marked:
            self.mark()
        for document in tags.values():
            world.keep(*self._children.get(document.digest, ()))
        world.crawl(tags, deleted=deleted)

    def index(self, *images: Image) -> Document:
        """An index of these, which are kept with it."""
        index = an_index_of(*images)
        self._children[index.digest] = images
        return index

    def mark(self, *, is_base: bool = True) -> None:
        """Have all of them be bases, or none."""
        with self.database.write() as connection:
            named = self._bases if is_base else ()
            names = [BasePlace(n, "docker.io", n) for n in named]
            mark_bases(connection, "hub", names)

    def sweep(self) -> int:
        return sweep_bases(self.database, self.app.now).images

    def base_of(self, image: Image) -> BaseInWords | None:
        """Its base, without what that one's manifest says of its bytes."""
        with self.database.read() as connection:
            chosen = select(blobs.c.id).where(blobs.c.digest == image.digest)
            number = connection.execute(chosen).scalar_one()
            found = load_bases(connection, [number], self.app.now).get(number)
        return found and replace(found, claimed_bytes=None)

    def push(self, image: Image) -> BaseInWords | None:
        """An image comes to the application's repository; its base."""
        self.app.crawl({"latest": image})
        return self.base_of(image)
