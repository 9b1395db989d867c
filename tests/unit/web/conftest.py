"""A service over a small database: a client that asks it as a browser would."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal
from starlette.testclient import TestClient

from support.database import a_database
from support.read_model import NOW
from support.store_world import World
from support.web_app import create_app
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions


@pytest.fixture(scope="module", autouse=True)
def one_loop() -> Iterator[None]:
    """All clients of a module ask from one event loop: to begin and end one for each
    request takes half of its time."""
    with start_blocking_portal() as portal, pytest.MonkeyPatch.context() as patch:
        patch.setattr(TestClient, "portal", portal)
        yield


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with a_database(tmp_path) as opened:
        yield opened


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
