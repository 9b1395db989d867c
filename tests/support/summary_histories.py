"""Random histories of tags in several repositories, as the read model sums them up."""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from support.images import OCI_INDEX, a_digest, a_layer, an_artifact_of, an_image
from support.of_one import close_crawl, open_crawl
from support.store_world import T0, World, a_result
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Child, Descriptor, Document, Image, Index
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.store.facts.images import keep_documents
from weighbridge.store.read_model.summaries import refresh_summary
from weighbridge.store.session import Connection, Database
from weighbridge.store.tags.applying import (
    Move,
    apply_deleted,
    apply_failures,
    apply_moves,
)
from weighbridge.store.tags.tag_rows import TagFailure

ARM: Final = Platform("linux", "arm64")
PLATFORMS: Final = [ARM, DEFAULT]
TAGS: Final = [
    "latest",
    "main",
    *(f"1.{n}" for n in range(8)),
    *(f"1.{n}-slim" for n in range(4)),
    *(f"build-{n}" for n in range(12)),
]


class Documents:
    """Images of two platforms, indexes of them and of each other, and artifacts; some
    can be read only later."""

    def __init__(self, rnd: random.Random) -> None:
        images: list[Document] = [
            an_image(
                [a_layer(("own", n), rnd.randrange(1, 10**6)), a_layer("base", 900)],
                platform=rnd.choice(PLATFORMS),
                created_at=rnd.choice([None, T0 + timedelta(days=rnd.randrange(400))]),
            )
            for n in range(24)
        ]
        artifact = an_artifact_of(a_layer("chart", 70), role="artifact")
        self.all: list[Document] = [*images, artifact]
        for n in range(10):
            below = rnd.sample(self.all, rnd.randrange(1, 5))
            self.all.append(an_index(n, below))
        self.late: set[Digest] = {d.digest for d in rnd.sample(self.all, 8)}


def an_index(name: int, below: Sequence[Document]) -> Index:
    entries = []
    for child in below:
        length = (
            child.manifest.manifest_bytes
            if isinstance(child, Image)
            else child.manifest_bytes
        )
        descriptor = Descriptor(child.media_type, child.digest, length)
        entries.append(
            Child(descriptor, "index" if isinstance(child, Index) else "image")
        )
    return Index(a_digest(("index", name)), OCI_INDEX, 300, tuple(entries))


class History:
    """One random step after the other in one of several repositories.

    registries: of each repository; each is a storage scope
    """

    def __init__(
        self,
        database: Database,
        rnd: random.Random,
        registries: Sequence[str] = ("hub", "hub"),
    ) -> None:
        self.rnd = rnd
        self.documents = Documents(rnd)
        self.worlds = [
            World(database, registry, repository=f"acme/{n}")
            for n, registry in enumerate(registries)
        ]
        early = [d for d in self.documents.all if d.digest not in self.documents.late]
        late = dict.fromkeys(self.documents.late, "not_found")
        self.worlds[0].keep(*early, missing=late)
        with database.write() as connection:
            for world in self.worlds:
                number = world.repository_id
                refresh_summary(connection, number, world.now, PLATFORMS)

    def step(self) -> World:
        """Something happens to a few tags, or a document can be read at last."""
        world, rnd = self.rnd.choice(self.worlds), self.rnd
        names = rnd.sample(TAGS, rnd.choice([1, 1, 2, 3, 9]))
        with world.database.write() as connection:
            if self.documents.late and rnd.random() < 0.15:
                self._arrive(connection)
            taken = world.claimed(connection)
            chance = rnd.random()
            if chance < 0.7:
                apply_moves(connection, taken, self._moves(names), world.now)
            elif chance < 0.8:
                failures = [TagFailure(name, "timeout", "10 s", None) for name in names]
                apply_failures(connection, taken, failures, world.now)
            else:
                apply_deleted(connection, taken, names, world.now)
            if rnd.random() < 0.1:
                opened = open_crawl(connection, taken, world.now).id
                close_crawl(connection, taken, opened, a_result(), world.now, world.now)
        return world

    def _moves(self, names: Sequence[str]) -> list[Move]:
        readable = [
            d for d in self.documents.all if d.digest not in self.documents.late
        ]
        few = self.rnd.choice([readable, readable[:3]])
        days = [None, None, *range(3)]
        return [
            Move(
                name,
                self.rnd.choice(few).digest,
                None if day is None else T0 + timedelta(days=day),
            )
            for name in names
            for day in [self.rnd.choice(days)]
        ]

    def _arrive(self, connection: Connection) -> None:
        digest = self.rnd.choice(sorted(self.documents.late))
        self.documents.late.remove(digest)
        document = next(d for d in self.documents.all if d.digest == digest)
        keep_documents(connection, [document], {})
