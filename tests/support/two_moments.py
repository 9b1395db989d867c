"""A real registry as it was before and as it is after a day of pushes.

What a crawl of the second over a database of the first should come to is known, so
that a crawl through faults can be compared with it.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from support.database import Engine
from support.database_dump import Dump, assert_same
from support.docker_registry import DockerRegistry, docker_registry
from support.faulty_crawls import (
    HOUR,
    CrawledDatabase,
    Record,
    Watch,
    crawled_database,
)
from support.images_oci import MadeImage, Pusher, made_image, made_layer
from support.known_database import KnownDatabase, known_database

REPOSITORIES: Final = ("shop/app", "shop/many-names", "shop/two-platforms", "team/tool")
TAGS: Final = 30
MOVED: Final = 4
DELETED: Final = 3
ADDED: Final = 3
BASE: Final = made_layer("base", b"base of everything " * 2000)


@dataclass(frozen=True, slots=True)
class TwoRegistries:
    """Both moments, each a registry that runs."""

    before: DockerRegistry
    after: DockerRegistry


@dataclass(frozen=True, slots=True)
class TwoMoments:
    """Two registries that run, and what is known of each.

    known:  a database that has crawled `before`; copies are taken of it
    clean:  the dump of one that crawled `after` then, without any trouble
    old, new: where each tag points, by repository:tag
    """

    before: DockerRegistry
    after: DockerRegistry
    known: KnownDatabase
    clean: Dump
    old: Mapping[str, Record] = field(repr=False)
    new: Mapping[str, Record] = field(repr=False)

    @contextmanager
    def a_database(self, folder: Path) -> Iterator[CrawledDatabase]:
        """A copy of `known` until the block ends, when it is verified."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "w.db"
        with self.known.copied(path) as server_url:
            database = CrawledDatabase(path, server_url=server_url)
            yield database
            database.assert_verified()

    def assert_unharmed(self, watch: Watch) -> None:
        """At every moment each tag had its old or its new record, and none was gone
        but those that the registry does not have any more."""
        strange = watch.strange(self.old, self.new)
        assert watch.looks > 0, "nobody watched"
        assert not strange, f"neither old nor new, {len(strange)} tags: {strange}"

    def assert_nothing_removed(self, watch: Watch) -> None:
        """The same where no crawl saw a whole repository: no tag is gone at all."""
        self.assert_unharmed(watch)
        removed = watch.removed(self.old)
        assert not removed, f"removed: {sorted(removed)}"

    def assert_caught_up(self, database: CrawledDatabase) -> None:
        """It is what a crawl without trouble made it."""
        assert_same(self.clean, database.dump())

    @contextmanager
    def a_copy_of_after(
        self,
        folder: Path,
        *,
        auth: Mapping[str, object] | None = None,
        port: int | None = None,
    ) -> Iterator[DockerRegistry]:
        """A registry of the same content that a test may change, stop or kill."""
        shutil.copytree(self.after.folder / "data", folder / "data")
        with docker_registry(folder, auth=auth, port=port) as registry:
            yield registry


@contextmanager
def two_registries(folder: Path) -> Iterator[TwoRegistries]:
    """Takes a few seconds: make it once for many tests."""
    with docker_registry(folder / "before") as before:
        _fill(before.url)
        shutil.copytree(folder / "before" / "data", folder / "after" / "data")
        with docker_registry(folder / "after") as after:
            _live_on(after.url)
            yield TwoRegistries(before, after)


@contextmanager
def two_moments(
    registries: TwoRegistries, folder: Path, engine: Engine
) -> Iterator[TwoMoments]:
    """What databases of this engine know of the two."""
    before, after = registries.before, registries.after
    with crawled_database(folder, engine) as database:
        database.crawl(before.url)
        old = database.records()
        with known_database(database, folder / "known.db") as known:
            database.now += HOUR
            database.crawl(after.url)
            new = database.records()
            yield TwoMoments(before, after, known, database.dump(), old, new)


def an_image(
    repository: str, name: object, *, architecture: str = "amd64"
) -> MadeImage:
    """Over the base that all share, with a layer of its own."""
    own = made_layer("own", f"{repository} {name} {architecture} ".encode() * 40)
    label = f"{repository} {name}"
    return made_image(BASE, own, architecture=architecture, label=label)


def _fill(url: str) -> None:
    with Pusher(url) as pusher:
        for repository in REPOSITORIES:
            for number in range(TAGS):
                _push(pusher, repository, f"v{number}", number)


def _push(pusher: Pusher, repository: str, tag: str, content: object) -> None:
    if repository == "shop/many-names":
        # Three tags an image, and the fourth moved one leaves two at the old.
        content = content // 3 if isinstance(content, int) else content
    if repository == "shop/two-platforms" and _number(tag) % 3 == 0:
        images = [
            an_image(repository, content, architecture=a) for a in ("amd64", "arm64")
        ]
        pusher.push_index(repository, tag, images)
    else:
        pusher.push(repository, an_image(repository, content), tag)


def _live_on(url: str) -> None:
    """Tags move, are deleted and come, as in a day."""
    with Pusher(url) as pusher:
        for repository in REPOSITORIES:
            for number in range(MOVED):
                _push(pusher, repository, f"v{number}", f"again {number}")
            for number in range(TAGS, TAGS + ADDED):
                _push(pusher, repository, f"v{number}", f"added {number}")
            _delete(pusher, repository)


def _delete(pusher: Pusher, repository: str) -> None:
    # Only images without an index: three names of one image, or three images.
    numbers = {"shop/many-names": (27,)}.get(repository, (25, 26, 28))
    for number in numbers[:DELETED]:
        content = number // 3 if repository == "shop/many-names" else number
        pusher.delete_manifest(repository, an_image(repository, content).digest)


def _number(tag: str) -> int:
    return int(tag.removeprefix("v"))
