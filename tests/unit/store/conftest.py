"""A fresh database for each test: a copy of one that was migrated once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.database import Engine, a_database, an_empty_url
from support.store_world import World
from weighbridge.store.session import Database


@pytest.fixture
def database(tmp_path: Path, engine: Engine) -> Iterator[Database]:
    """On each engine that `--databases` names."""
    with a_database(tmp_path, engine) as opened:
        yield opened


@pytest.fixture
def empty_url(tmp_path: Path, engine: Engine) -> Iterator[str]:
    """Of a database without any table."""
    with an_empty_url(tmp_path, engine) as url:
        yield url


@pytest.fixture(scope="module")
def module_database(
    tmp_path_factory: pytest.TempPathFactory, engine: Engine
) -> Iterator[Database]:
    """An empty one for tests that only read."""
    with a_database(tmp_path_factory.mktemp("module"), engine) as opened:
        yield opened


@pytest.fixture
def world(database: Database) -> World:
    return World(database)
