"""A real registry, filled once for all tests of faults."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.database import Engine
from support.faulty_crawls import CrawledDatabase
from support.two_moments import (
    TwoMoments,
    TwoRegistries,
    two_moments,
    two_registries,
)


@pytest.fixture(scope="session")
def registries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoRegistries]:
    with two_registries(tmp_path_factory.mktemp("registries")) as made:
        yield made


@pytest.fixture(scope="session")
def moments(
    registries: TwoRegistries, tmp_path_factory: pytest.TempPathFactory, engine: Engine
) -> Iterator[TwoMoments]:
    with two_moments(registries, tmp_path_factory.mktemp("moments"), engine) as made:
        yield made


@pytest.fixture
def database(moments: TwoMoments, tmp_path: Path) -> Iterator[CrawledDatabase]:
    """One that knows the registry as it was before. Its totals are verified at the end
    of each test, whatever the test was about."""
    with moments.a_database(tmp_path) as made:
        yield made
