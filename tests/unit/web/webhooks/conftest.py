"""A service that takes the webhooks of one distribution."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.database import a_database
from support.webhooks import Service, a_service
from weighbridge.store.session import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with a_database(tmp_path) as opened:
        yield opened


@pytest.fixture
def service(database: Database) -> Iterator[Service]:
    made = a_service(database)
    with made.client:
        yield made
