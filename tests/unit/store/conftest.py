"""A fresh database for each test: a copy of one that was migrated once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.database import a_database
from support.store_world import World
from weighbridge.store.session import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with a_database(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def module_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """An empty one for tests that only read."""
    with a_database(tmp_path_factory.mktemp("module")) as opened:
        yield opened


@pytest.fixture
def world(database: Database) -> World:
    return World(database)
