"""A fresh database for each test: a copy of one that was migrated once."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.store_world import World
from weighbridge.store.session import Database, open_database, upgrade


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "template.db"
    database = open_database(f"sqlite:///{path}")
    upgrade(database)
    database.close()
    return path


@pytest.fixture
def database(migrated_file: Path, tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "weighbridge.db"
    shutil.copy(migrated_file, path)
    opened = open_database(f"sqlite:///{path}")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def module_database(
    migrated_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """An empty one for tests that only read."""
    path = tmp_path_factory.mktemp("module") / "weighbridge.db"
    shutil.copy(migrated_file, path)
    opened = open_database(f"sqlite:///{path}")
    yield opened
    opened.close()


@pytest.fixture
def world(database: Database) -> World:
    return World(database)
