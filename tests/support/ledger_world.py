"""Random histories of a small fleet: four repositories in two storage scopes."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from support.images import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, a_digest
from support.store_world import T0
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import (
    Artifact,
    Child,
    Descriptor,
    Document,
    Image,
    Index,
    Layer,
    Manifest,
    Unweighable,
)
from weighbridge.domain.image.platform import DEFAULT
from weighbridge.domain.limits import Retention
from weighbridge.errors import StoreError
from weighbridge.store.facts.images import find_known, keep_documents
from weighbridge.store.leases.claiming import Claim, claim
from weighbridge.store.maintenance.forgetting import find_known as find_known_name
from weighbridge.store.maintenance.forgetting import forget
from weighbridge.store.maintenance.pruning import Pruned, prune
from weighbridge.store.registries.registry_rows import RegistryEntry, put_registry
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.session import Database
from weighbridge.store.tags.applying import (
    Move,
    apply_deleted,
    apply_failures,
    apply_moves,
)
from weighbridge.store.tags.tag_rows import TagFailure

GZIP: Final = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass
class Fleet:
    """A registry whose first path component is a storage scope, and a clock."""

    database: Database
    names: Sequence[str] = ("one/a", "one/b", "one/c", "two/a")
    scope: str = "project"
    registry: str = "hub"
    now: datetime = T0
    registry_id: int = 0
    ids: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        entry = RegistryEntry(
            self.registry, "distribution", "https://r.example", self.scope, None, 60
        )
        with self.database.write() as connection:
            self.registry_id = put_registry(connection, entry, self.now)
            self.ids = put_repositories(
                connection, self.registry_id, self.names, self.now
            )

    def claimed(self, connection: Connection, name: str) -> Claim:
        """A claim, taken over from whoever had one before."""
        self.now += timedelta(days=1)
        self.ids = put_repositories(connection, self.registry_id, self.names, self.now)
        taken = claim(connection, self.ids[name], now=self.now, lease_s=60)
        assert taken is not None
        return taken

    def keep(self, *documents: Document, missing: Sequence[Digest] = ()) -> None:
        """Keep facts."""
        with self.database.write() as connection:
            keep_documents(
                connection, documents, dict.fromkeys(missing, "manifest_unknown")
            )

    def push(self, name: str, **targets: Document | Digest | None) -> None:
        """Let tags of a repository point there, or nowhere; a transaction."""
        with self.database.write() as connection:
            self.push_in(connection, name, targets)

    def push_in(
        self,
        connection: Connection,
        name: str,
        targets: dict[str, Document | Digest | None],
    ) -> None:
        """The same within a transaction."""
        taken = self.claimed(connection, name)
        apply_moves(
            connection,
            taken,
            [
                Move(tag, t if isinstance(t, str) else t.digest, None)
                for tag, t in targets.items()
                if t is not None
            ],
            self.now,
        )
        deleted = [tag for tag, target in targets.items() if target is None]
        apply_deleted(connection, taken, deleted, self.now)

    def forget(self, name: str) -> None:
        """Forget a repository; the next push finds it again, as something new."""
        with self.database.read() as connection:
            known = find_known_name(connection, self.owner(name), name)
        if known is not None:
            forget(
                self.database,
                known,
                self._tick,
                owner="",
                listing="list",
                watch=lambda *_: None,
            )

    def owner(self, name: str) -> str:
        """The registry of a repository."""
        return self.registry

    def prune(self, days: int = 30) -> Pruned:
        """Prune what no tag has led to for so many days."""
        retention = Retention(timedelta(days=days), timedelta(days=days))
        return prune(self.database, retention, self.now)

    def _tick(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now

    def fail(self, name: str, tag: str) -> None:
        """A tag that is there and cannot be read."""
        with self.database.write() as connection:
            taken = self.claimed(connection, name)
            failure = TagFailure(tag, "timeout", "10 s", None)
            apply_failures(connection, taken, [failure], self.now)


@dataclass
class TwoEntries(Fleet):
    """Two entries of one address. Now and then the other one comes to want a
    repository, or an entry moves to another address and back."""

    rnd: random.Random = field(default_factory=random.Random)
    registry: str = "left"
    others: dict[str, str] = field(default_factory=dict)

    def claimed(self, connection: Connection, name: str) -> Claim:
        chance = self.rnd.random()
        if chance < 0.2:
            self.others[name] = "right" if self.owner(name) == "left" else "left"
        if chance > 0.95:
            self._put(connection, "right", "https://elsewhere.example")
        self.registry_id = self._put(connection, self.owner(name), "https://r.example")
        self.now += timedelta(days=1)
        names = [n for n in self.names if self.owner(n) == self.owner(name)]
        self.ids = put_repositories(connection, self.registry_id, names, self.now)
        taken = claim(connection, self.ids[name], now=self.now, lease_s=60)
        assert taken is not None
        return taken

    def owner(self, name: str) -> str:
        """The entry that wants a repository."""
        return self.others.get(name, self.registry)

    def _put(self, connection: Connection, name: str, url: str) -> int:
        entry = RegistryEntry(name, "distribution", url, self.scope, None, 60)
        return put_registry(connection, entry, self.now)


@dataclass
class Universe:
    """Documents that share blobs in every way that a registry allows."""

    rnd: random.Random
    ready: list[Document] = field(default_factory=list)
    late: list[Document] = field(default_factory=list)

    def __post_init__(self) -> None:
        blobs = [self._blob(n) for n in range(25)]
        images = [self._image(("image", n), blobs) for n in range(14)]
        self.late = [self._image(("late", n), blobs) for n in range(3)]
        self.ready = [*images, *(self._artifact(n, blobs) for n in range(2))]
        self.ready.append(Unweighable(a_digest("old"), "schema1", 321, "schema1"))
        children: list[Document] = [*self.ready, *self.late]
        for n in range(8):
            index = self._index(("index", n), children)
            children.append(index)
            self.ready.append(index)
        for n in range(2):
            index = self._index(("late index", n), children)
            self.late.append(index)
            self.ready.append(self._index(("above", n), [*children, index, index]))
        # A manifest that something else stores as its blob.
        stored = images[0]
        layer = Layer("application/json", stored.digest, stored.manifest.manifest_bytes)
        self.ready.append(self._made(("odd", 0), [layer, blobs[0]], blobs[1]))

    def _blob(self, n: int) -> Layer:
        size = self.rnd.choice([0, 1, 32, 1000, self.rnd.randrange(10**6)])
        return Layer(GZIP, a_digest(("blob", n)), size)

    def _claimed(self, blob: Layer) -> Layer:
        """What one document says of a blob: now and then it is not the truth."""
        lie, chance = self.rnd.randrange(10**6), self.rnd.random()
        if chance < 0.08:
            return Layer(GZIP, blob.digest, lie)
        is_foreign = chance > 0.9
        return Layer(GZIP, blob.digest, blob.compressed_bytes, is_foreign=is_foreign)

    def _image(self, name: object, blobs: list[Layer]) -> Image:
        layers = [
            self._claimed(self.rnd.choice(blobs)) for _ in range(self.rnd.randrange(6))
        ]
        return self._made(name, layers, self.rnd.choice(blobs))

    def _made(self, name: object, layers: list[Layer], config: Layer) -> Image:
        descriptor = Descriptor(OCI_CONFIG, config.digest, config.compressed_bytes)
        digest = a_digest(name)
        manifest = Manifest(
            digest, OCI_MANIFEST, self.rnd.randrange(900), descriptor, tuple(layers)
        )
        return Image(manifest, DEFAULT, None, (), (), "exact")

    def _artifact(self, n: int, blobs: list[Layer]) -> Artifact:
        config = self.rnd.choice(blobs) if n else None
        return Artifact(
            a_digest(("artifact", n)),
            OCI_MANIFEST,
            500,
            "application/sbom",
            "artifact",
            None
            if config is None
            else Descriptor(OCI_CONFIG, config.digest, config.compressed_bytes),
            tuple(self._claimed(self.rnd.choice(blobs)) for _ in range(2)),
        )

    def _index(self, name: object, below: list[Document]) -> Index:
        children = [self.rnd.choice(below) for _ in range(self.rnd.randrange(5))]
        return Index(
            a_digest(name),
            OCI_INDEX,
            300,
            tuple(
                Child(
                    Descriptor(child.media_type, child.digest, _length(child)),
                    "index" if isinstance(child, Index) else "image",
                )
                for child in children
            ),
        )


def _length(document: Document) -> int:
    if isinstance(document, Image):
        return document.manifest.manifest_bytes
    return document.manifest_bytes


@dataclass
class History:
    """One random step after the other.

    upkeep: how often a step forgets a repository, and how often it prunes
    """

    fleet: Fleet
    rnd: random.Random
    upkeep: float = 0

    def __post_init__(self) -> None:
        self.universe = Universe(self.rnd)
        self.read: list[Document] = []
        self.unread = list(self.universe.ready)
        self.rnd.shuffle(self.unread)

    def step(self) -> None:
        """Documents arrive, some of them late, and a repository's tags move."""
        if self.unread and self.rnd.random() < 0.6:
            self._read(self.unread.pop())
        if self.universe.late and self.rnd.random() < 0.1:
            late = self.universe.late
            self._read(late.pop(self.rnd.randrange(len(late))))
        if self.rnd.random() < self.upkeep:
            self.fleet.forget(self.rnd.choice(list(self.fleet.names)))
        if self.rnd.random() < self.upkeep:
            self.fleet.prune()
        name = self.rnd.choice(list(self.fleet.names))
        targets: dict[str, Document | Digest | None] = {
            f"t{self.rnd.randrange(6)}": None
            if not self.read or self.rnd.random() < 0.3
            else self.rnd.choice(self.read)
            for _ in range(self.rnd.randrange(1, 5))
        }
        # Now and then a crawl knew a document that has been pruned since.
        if self.rnd.random() < 0.9:
            self._read_again(targets.values())
        if self.rnd.random() < 0.1:
            self.fleet.fail(name, f"t{self.rnd.randrange(6)}")
        try:
            with self.fleet.database.write() as connection:
                self.fleet.push_in(connection, name, targets)
                if self.rnd.random() < 0.1:
                    raise _RolledBack
        except _RolledBack:
            return
        except StoreError as exc:
            if exc.code != "unknown_digest":
                raise

    def _read(self, document: Document) -> None:
        """Children that nobody has read yet are told as missing, or only listed."""
        missing = []
        if isinstance(document, Index):
            known = {d.digest for d in self.read}
            below = {child.descriptor.digest for child in document.children}
            unknown = sorted(below - known)
            missing = [d for d in unknown if self.rnd.random() < 0.7]
        self.fleet.keep(document, missing=missing)
        self.read.append(document)

    def _read_again(self, targets: Iterable[Document | Digest | None]) -> None:
        """What a crawl does with a document that the store does not know: it and all
        below it that was read before is kept again."""
        for target in targets:
            if target is None or isinstance(target, str):
                continue
            with self.fleet.database.read() as connection:
                known = find_known(connection, [target.digest])
            if not known:
                self.fleet.keep(*self._below(target))

    def _below(self, document: Document) -> list[Document]:
        found = [document]
        if isinstance(document, Index):
            listed = {child.descriptor.digest for child in document.children}
            for child in self.read:
                if child.digest in listed:
                    found += self._below(child)
        return found


class _RolledBack(Exception):
    pass
