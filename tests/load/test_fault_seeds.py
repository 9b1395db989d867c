"""The matrix of faults by twenty seeds: whatever mixture of them a registry has, the
crawls after it come to what a crawl without trouble comes to."""

import random
from collections.abc import Iterator

import pytest

from support.database_dump import assert_same
from support.fake_clock import START
from support.fault_proxy import FaultProxy, fault_proxy
from support.faults import (
    Answer,
    Cut,
    Delay,
    Fault,
    Reset,
    Stray,
    error,
    flipped_byte,
    page_for_people,
    pages_of,
    status,
    too_many_requests,
)
from support.faulty_crawls import CrawledDatabase, watching
from support.hasty_crawls import Hasty
from support.images_oci import OCI_MANIFEST, made_image
from support.two_moments import TwoMoments, two_moments

SEEDS = range(1, 21)
SHARE = 0.3
"""Of the requests that are spoilt, all faults together."""
FORGED = Answer(
    200, (("Content-Type", OCI_MANIFEST),), made_image(label="forged").manifest
)
FAULTS: tuple[Fault, ...] = (
    status(500),
    status(502),
    status(503),
    status(504),
    status(408),
    page_for_people(503),
    too_many_requests("seconds"),
    too_many_requests("unix", now=lambda: START),
    Cut(),
    Cut(is_reset=True),
    Reset("before"),
    Reset("headers"),
    Reset("body"),
    Stray(FORGED),
    Stray(FORGED, after_s=0.002),
)
"""Faults that pass: another attempt may go well. Dates are those of the clock by which
these crawls wait, so that they are no absurd ones."""
LASTING: tuple[Fault, ...] = (
    error(401, "UNAUTHORIZED"),
    error(403, "DENIED"),
    error(404, "MANIFEST_UNKNOWN"),
    too_many_requests("absurd"),
)
"""Faults that nobody tries again in the same crawl."""


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoMoments]:
    with two_moments(tmp_path_factory.mktemp("moments")) as made:
        yield made


@pytest.fixture
def database(
    moments: TwoMoments, tmp_path_factory: pytest.TempPathFactory
) -> CrawledDatabase:
    """One that knows the registry as it was before."""
    return moments.a_database(tmp_path_factory.mktemp("database"))


def spoil_by_seed(proxy: FaultProxy, faults: tuple[Fault, ...], seed: int) -> None:
    """Some of the faults, together as often as SHARE says, each at random."""
    chosen = random.Random(seed).sample(faults, k=min(5, len(faults)))  # noqa: S311 - a test's choice
    for fault in chosen:
        proxy.spoil(fault, chance=SHARE / len(chosen))
    proxy.spoil(pages_of(10), kind="tags")


@pytest.mark.parametrize("seed", SEEDS)
def test_faults_that_pass_cost_attempts_and_nothing_else(
    moments: TwoMoments, database: CrawledDatabase, seed: int
) -> None:
    with fault_proxy(moments.after.url, seed=seed) as proxy:
        proxy.spoil(Delay(0.02), chance=0.1)
        spoil_by_seed(proxy, FAULTS, seed)

        with watching(database.path) as watch:
            for _ in range(2):
                Hasty().crawl(database, proxy.url)
        proxy.heal()
        database.crawl(proxy.url)

    assert sum(proxy.plan.spoilt.values()) > 30
    moments.assert_unharmed(watch)
    moments.assert_caught_up(database)


@pytest.mark.parametrize("seed", SEEDS)
def test_faults_that_last_leave_what_was_known(
    moments: TwoMoments, database: CrawledDatabase, seed: int
) -> None:
    with fault_proxy(moments.after.url, seed=seed) as proxy:
        spoil_by_seed(proxy, FAULTS + LASTING, seed)
        for fault in LASTING:
            proxy.spoil(fault, chance=0.03)

        with watching(database.path) as watch:
            for _ in range(3):
                Hasty().crawl(database, proxy.url)
        proxy.heal()
        database.crawl(proxy.url)

    moments.assert_unharmed(watch)
    moments.assert_caught_up(database)


@pytest.mark.parametrize("seed", SEEDS)
def test_manifests_that_arrive_changed_are_never_stored(
    moments: TwoMoments, database: CrawledDatabase, seed: int
) -> None:
    with fault_proxy(moments.after.url, seed=seed) as proxy:
        proxy.spoil(flipped_byte(), kind="manifest", method="GET", chance=0.3)
        spoil_by_seed(proxy, FAULTS, seed)

        with watching(database.path) as watch:
            Hasty().crawl(database, proxy.url)
        proxy.heal()
        database.crawl(proxy.url)

    moments.assert_unharmed(watch)
    moments.assert_caught_up(database)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_first_crawl_through_faults_comes_to_the_same(
    moments: TwoMoments, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("databases")
    clean = CrawledDatabase(folder / "clean.db")
    clean.crawl(moments.after.url)
    database = CrawledDatabase(folder / "w.db")
    with fault_proxy(moments.after.url, seed=seed) as proxy:
        spoil_by_seed(proxy, FAULTS, seed)

        Hasty().crawl(database, proxy.url)
        proxy.heal()
        database.crawl(proxy.url)

    assert_same(clean.dump(), database.dump())
