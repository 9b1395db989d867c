"""Databases for long tests."""

import pytest


@pytest.fixture(scope="module", params=["sqlite"])
def database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """An empty database for the tests of one module."""
    folder = tmp_path_factory.mktemp(str(request.param))
    return f"sqlite:///{folder / 'weighbridge.db'}"
