"""Databases for long tests."""

from collections.abc import Iterator

import pytest

from support.database import Engine, a_database_url


@pytest.fixture(scope="module")
def database_url(
    tmp_path_factory: pytest.TempPathFactory, engine: Engine
) -> Iterator[str]:
    """An empty one for the tests of one module, on each engine that `--databases`
    names."""
    with a_database_url(tmp_path_factory.mktemp(engine), engine) as url:
        yield url
