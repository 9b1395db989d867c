"""The matrix of faults by twenty seeds: whatever a registry has of them, the crawls
after it come to what a crawl without trouble comes to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import fault_scenes
from support.database import Engine
from support.fault_matrix import ROWS
from support.faulty_crawls import CrawledDatabase
from support.two_moments import (
    TwoMoments,
    TwoRegistries,
    two_moments,
    two_registries,
)

SEEDS = range(1, 21)


@pytest.fixture(scope="module")
def registries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoRegistries]:
    with two_registries(tmp_path_factory.mktemp("registries")) as made:
        yield made


@pytest.fixture(scope="module")
def moments(
    registries: TwoRegistries, tmp_path_factory: pytest.TempPathFactory, engine: Engine
) -> Iterator[TwoMoments]:
    with two_moments(registries, tmp_path_factory.mktemp("moments"), engine) as made:
        yield made


@pytest.fixture
def database(moments: TwoMoments, tmp_path: Path) -> Iterator[CrawledDatabase]:
    """One that knows the registry as it was before; verified at its end."""
    with moments.a_database(tmp_path) as made:
        yield made


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("row", ROWS)
def test_one_kind_of_fault_loses_and_invents_nothing(
    moments: TwoMoments, database: CrawledDatabase, row: str, seed: int
) -> None:
    fault_scenes.one_row(moments, database, ROWS[row], seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_faults_that_pass_cost_attempts_and_nothing_else(
    moments: TwoMoments, database: CrawledDatabase, seed: int
) -> None:
    fault_scenes.faults_that_pass(moments, database, seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_faults_that_last_leave_what_was_known(
    moments: TwoMoments, database: CrawledDatabase, seed: int
) -> None:
    fault_scenes.faults_that_last(moments, database, seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_f07_manifests_that_arrive_changed_are_never_stored(
    moments: TwoMoments, database: CrawledDatabase, seed: int
) -> None:
    fault_scenes.manifests_that_arrive_changed(moments, database, seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_f08_tokens_that_end_at_any_moment_are_replaced(
    moments: TwoMoments, database: CrawledDatabase, tmp_path: Path, seed: int
) -> None:
    fault_scenes.tokens_that_end(moments, database, tmp_path / "guarded", seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_f11_a_tag_that_changes_at_any_moment_is_old_or_new(
    moments: TwoMoments, database: CrawledDatabase, tmp_path: Path, seed: int
) -> None:
    fault_scenes.a_tag_that_changes_meanwhile(moments, database, tmp_path, seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_first_crawl_through_faults_comes_to_the_same(
    moments: TwoMoments, engine: Engine, tmp_path: Path, seed: int
) -> None:
    fault_scenes.a_first_crawl(moments, engine, tmp_path, seed)
