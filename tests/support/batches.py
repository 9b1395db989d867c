"""Random batches over repositories of several registries, in either of two ways: each
by one call, or each of its items by calls of its own."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from msgspec.structs import replace
from sqlalchemy import Connection, text

from support.images import a_digest
from support.ledger_world import Universe
from support.of_one import refresh_if_stale
from support.store_world import T0
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Document, Index
from weighbridge.domain.image.platform import DEFAULT
from weighbridge.errors import StoreError
from weighbridge.store.facts.images import keep_documents
from weighbridge.store.leases.claiming import Claim, claim, hold
from weighbridge.store.registries.registry_rows import RegistryEntry, put_registry
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.session import Database
from weighbridge.store.tags.applying import (
    Changes,
    Move,
    apply_deleted,
    apply_failures,
    apply_many,
    apply_moves,
)
from weighbridge.store.tags.tag_rows import TagFailure

ENTRIES: Final = {
    # Two entries of one address: their scopes are parts of one.
    ("left", "https://one.example", "project"): ("one/a", "one/b"),
    ("right", "https://one.example", "project"): ("one/c", "two/d"),
    ("own", "https://two.example", "repository"): ("x/e", "x/f"),
    ("whole", "https://three.example", "registry"): ("y/g", "y/h"),
}
NAMES: Final = [name for names in ENTRIES.values() for name in names]


@dataclass(frozen=True)
class Item:
    """What was found in one repository.

    is_stale: somebody has claimed it meanwhile
    is_new:   the caller takes it for one of which nothing was ever kept
    """

    name: str
    moves: Sequence[Move]
    failures: Sequence[TagFailure]
    deleted: Sequence[str]
    crawls: int
    is_push: bool
    is_stale: bool
    is_new: bool


@dataclass(frozen=True)
class Kept:
    """Documents arrive."""

    documents: Sequence[Document]
    missing: Mapping[Digest, str]


Step: TypeAlias = Kept | Sequence[Item] | None
"""None: every repository is summed up."""


@dataclass
class Script:
    """Random steps."""

    rnd: random.Random
    known: list[Document] = field(default_factory=list)

    def steps(self, count: int) -> Iterator[Step]:
        """So many batches, between which documents arrive."""
        universe = Universe(self.rnd)
        unread = [*universe.ready]
        self.rnd.shuffle(unread)
        for _ in range(count):
            while unread and self.rnd.random() < 0.7:
                yield self._kept(unread.pop())
            if universe.late and self.rnd.random() < 0.2:
                yield self._kept(universe.late.pop())
            yield [self._item() for _ in range(self.rnd.randrange(1, 9))]
            if self.rnd.random() < 0.3:
                yield None

    def _kept(self, document: Document) -> Kept:
        missing = {}
        if isinstance(document, Index):
            known = {d.digest for d in self.known}
            below = {child.descriptor.digest for child in document.children}
            missing = {
                digest: "manifest_unknown"
                for digest in sorted(below - known)
                if self.rnd.random() < 0.7
            }
        self.known.append(document)
        return Kept([document], missing)

    def _item(self) -> Item:
        some = self._tags
        return Item(
            self.rnd.choice(NAMES),
            [Move(tag, self._target(), self._time()) for tag in some(3)],
            [
                TagFailure(tag, self.rnd.choice(["timeout", "odd"]), "10 s", None)
                for tag in some(1)
            ],
            some(2),
            self.rnd.randrange(2),
            self.rnd.random() < 0.2,
            self.rnd.random() < 0.1,
            self.rnd.random() < 0.4,
        )

    def _tags(self, most: int) -> list[str]:
        return [
            f"t{self.rnd.randrange(5)}" for _ in range(self.rnd.randrange(most + 1))
        ]

    def _target(self) -> Digest:
        if not self.known or self.rnd.random() < 0.02:
            return a_digest("nobody kept it")
        return self.rnd.choice(self.known).digest

    def _time(self) -> datetime | None:
        return self.rnd.choice([None, T0, T0 + timedelta(hours=1)])


@dataclass
class Stage:
    """A database in which a script is played."""

    database: Database
    now: datetime = T0
    ids: dict[str, int] = field(default_factory=dict)
    registries: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with self.database.write() as connection:
            for (name, url, scope), names in ENTRIES.items():
                entry = RegistryEntry(name, "distribution", url, scope, None, 60)
                registry_id = put_registry(connection, entry, self.now)
                self.registries[name] = registry_id
                self.ids |= put_repositories(connection, registry_id, names, self.now)

    def play(self, step: Step, *, together: bool) -> list[str]:
        """Returns what each item of a batch failed with, "" for nothing."""
        self.now += timedelta(hours=1)
        if step is None:
            self._sum_up()
        elif isinstance(step, Kept):
            with self.database.write() as connection:
                keep_documents(connection, step.documents, step.missing)
        else:
            changes = self._changes(step)
            if together:
                with self.database.write() as connection:
                    return [_code(result) for result in apply_many(connection, changes)]
            return [self._alone(each) for each in changes]
        return []

    def claims(self) -> dict[str, Claim]:
        """A claim of every repository."""
        with self.database.write() as connection:
            return {name: self._claim(connection, name) for name in self.ids}

    def _claim(self, connection: Connection, name: str) -> Claim:
        self.now += timedelta(hours=1)
        taken = claim(connection, self.ids[name], now=self.now, lease_s=60)
        assert taken is not None
        return taken

    def _changes(self, items: Sequence[Item]) -> list[Changes]:
        before, claims = self.claims(), self.claims()
        changes = []
        for number, item in enumerate(items):
            held = (before if item.is_stale else claims)[item.name]
            held = replace(held, crawl_number=item.crawls)
            changes.append(
                Changes(
                    replace(held, is_push=True) if item.is_push else held,
                    item.moves,
                    item.failures,
                    self.now + timedelta(seconds=number),
                    item.is_new,
                    item.deleted,
                )
            )
        return changes

    def _alone(self, changes: Changes) -> str:
        claim, now = changes.claim, changes.now
        try:
            with self.database.write() as connection:
                hold(connection, claim, now)
                apply_moves(connection, claim, changes.moves, now)
                apply_failures(connection, claim, changes.failures, now)
                apply_deleted(connection, claim, changes.deleted, now)
        except StoreError as exc:
            return exc.code
        return ""

    def _sum_up(self) -> None:
        for repository in self.ids.values():
            with self.database.write() as connection:
                refresh_if_stale(connection, repository, self.now, [DEFAULT])


def _code(result: object) -> str:
    return result.code if isinstance(result, StoreError) else ""


_SAME: Final = {
    "tags": "SELECT repository_id, name, target_id, first_seen_at, moved_at, pushed_at,"
    " deleted_at, error_code, error_digest, error_at FROM tags",
    "tag_moves": "SELECT repository_id, name, seen_from, seen_until, m.target_id,"
    " m.pushed_at FROM tag_moves m JOIN tags ON tags.id = tag_id",
    "unjudged": "SELECT u.repository_id, name, is_silent, is_weighed"
    " FROM unjudged u JOIN tags ON tags.id = tag_id",
    "repository_manifests": "SELECT * FROM repository_manifests",
    "repository_blobs": "SELECT * FROM repository_blobs",
    "scope_blobs": "SELECT * FROM scope_blobs",
    "storage_scopes": "SELECT id, image_count, weighed_bytes, deduplicated_bytes,"
    " shared_bytes FROM storage_scopes",
    "repository_summaries": "SELECT repository_id, tag_count, tags_failed, image_count,"
    " referenced_bytes, deduplicated_bytes, exclusive_bytes, is_stale,"
    " referenced_bytes IS NULL OR is_uncounted, is_unmeasured, over_tags,"
    " newest_image_id FROM repository_summaries",
    "blob_changes": "SELECT DISTINCT scope_id, blob_id FROM blob_changes",
    "touched_manifests": "SELECT DISTINCT manifest_id FROM touched_manifests",
}


def ledger(database: Database) -> dict[str, set[tuple[object, ...]]]:
    """All rows that batches write, but for ids and revisions."""
    with database.read() as connection:
        return {
            name: {tuple(row) for row in connection.execute(text(query))}
            for name, query in _SAME.items()
        }
