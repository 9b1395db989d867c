"""A real registry, filled once for all tests of faults."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.faulty_crawls import CrawledDatabase
from support.two_moments import TwoMoments, two_moments


@pytest.fixture(scope="session")
def moments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoMoments]:
    with two_moments(tmp_path_factory.mktemp("moments")) as made:
        yield made


@pytest.fixture
def database(moments: TwoMoments, tmp_path: Path) -> CrawledDatabase:
    """One that knows the registry as it was before."""
    return moments.a_database(tmp_path)
