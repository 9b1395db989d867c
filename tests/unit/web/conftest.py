"""A service over a small database: a client that asks it as a browser would."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from support.read_model import NOW
from support.store_world import World
from weighbridge.store.session import Database, open_database, upgrade
from weighbridge.telemetry import Telemetry
from weighbridge.web.app import create_app
from weighbridge.web.options import WebOptions


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


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@pytest.fixture
def client(database: Database) -> TestClient:
    """Asks as a browser on this machine; a fault of ours is an answer of 500."""
    app = create_app(database, Telemetry(), WebOptions(), now=lambda: NOW)
    return TestClient(
        app, base_url="http://127.0.0.1:8080", raise_server_exceptions=False
    )
