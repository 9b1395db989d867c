"""What tests of registries share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.database import a_database_url


@pytest.fixture
def database_url(tmp_path: Path) -> Iterator[str]:
    """An empty database, for what is crawled."""
    with a_database_url(tmp_path) as url:
        yield url
