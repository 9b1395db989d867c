"""A page and its table are of one state, whatever a crawl writes meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.database import a_database
from support.images import an_image, some_layers
from support.store_world import T0, World
from weighbridge.domain.image.platform import DEFAULT
from weighbridge.store.session import Connection, Database, open_database
from weighbridge.web.request.finding import Finder

IMAGE = an_image(some_layers(1000))


class Busy(Database):
    """A database in which a crawl keeps one more tag after each reader."""

    def __init__(self, world: World, url: str) -> None:
        self._world = world
        self._real = open_database(url)
        self._looks = 0

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self._real.read() as connection:
            yield connection
        self._looks += 1
        self._world.crawl({f"v{self._looks}": IMAGE})

    def close(self) -> None:
        self._real.close()


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Busy]:
    with a_database(tmp_path) as database:
        world = World(database)
        world.crawl({"v0": IMAGE})
        opened = Busy(world, f"sqlite:///{tmp_path / 'weighbridge.db'}")
        try:
            yield opened
        finally:
            opened.close()


def test_a_repository_and_its_tags_are_read_at_one_moment(busy: Busy) -> None:
    report, page = Finder(busy, [DEFAULT]).tags("hub/acme/app", 100, None)

    assert [tag.name for tag in page.items] == ["v0"]
    assert (report.tags, report.newest_tag) == (1, "v0")


def test_an_image_and_its_repository_are_read_at_one_moment(busy: Busy) -> None:
    found = Finder(busy, [DEFAULT]).image("hub/acme/app:v0", None, T0)

    assert found.aliases == ["v0"]
    assert found.repository.tags == 1
