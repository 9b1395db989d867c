"""Ten crawls, each killed once at a random point and started again."""

import random
from pathlib import Path

import pytest

from support.database import Engine, a_database_url
from support.database_dump import assert_same, dump_of_url
from support.killed_crawls import crawl, kill_and_crawl
from support.replica.fleet import Fleet
from support.replica.process import fleet_replica
from weighbridge.engine.context.crawl_context import LIMIT

ROUNDS = 10
FLEET = Fleet(repositories=30, tags=4_000, largest=2_000)
QUESTIONS_A_TAG = 2
MEASURED_AT_ONCE = 200
SPARED = 200
"""Requests by which a clean crawl may come out with fewer: tags of one image that are
asked about at the same time share an answer."""


@pytest.mark.parametrize("measures", [False, True], ids=["no-measure", "measure"])
@pytest.mark.timeout(900)
def test_f12_f29_ten_kills_at_random_points_change_nothing(
    tmp_path: Path, engine: Engine, measures: bool
) -> None:
    chance = random.Random(f"{engine} {measures}")  # noqa: S311 - a die, no secret
    options = () if measures else ("--no-measure",)
    (tmp_path / "clean").mkdir()
    with (
        fleet_replica(FLEET) as replica,
        a_database_url(tmp_path / "clean", engine) as clean,
    ):
        crawl(replica, clean, *options)
        needed = sum(replica.counts().values())
        wanted = dump_of_url(clean)
        for number in range(ROUNDS):
            folder = tmp_path / str(number)
            folder.mkdir()
            at = chance.randrange(1, needed - SPARED)
            with a_database_url(folder, engine) as killed:
                done = kill_and_crawl(replica, killed, *options, at=at)

                assert_same(wanted, dump_of_url(killed))
            assert done.was_killed
            repeated = done.requests - needed
            print(f"{engine}: killed at {at} of {needed}, {repeated} repeated")
            batch = LIMIT * QUESTIONS_A_TAG + MEASURED_AT_ONCE * measures
            listed = FLEET.repositories + 1
            assert repeated <= batch + listed
