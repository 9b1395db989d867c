"""A crawl that is killed and started again ends as if nothing had happened."""

from pathlib import Path

import pytest

from support.database import Engine, a_database_url
from support.database_dump import assert_same, dump_of_url
from support.killed_crawls import crawl, kill_and_crawl
from support.replica.fleet import Fleet
from support.replica.process import fleet_replica
from weighbridge.engine.context.crawl_context import LIMIT

FLEET = Fleet(repositories=6, tags=1_500, largest=900)
QUESTIONS_A_TAG = 2
"""A manifest and its config."""


@pytest.mark.long_on("postgresql")  # f29 kills crawls over it
def test_f12_a_killed_crawl_repeats_at_most_one_batch(
    tmp_path: Path, engine: Engine
) -> None:
    for name in ("clean", "killed"):
        (tmp_path / name).mkdir()
    with (
        fleet_replica(FLEET) as replica,
        a_database_url(tmp_path / "clean", engine) as clean,
        a_database_url(tmp_path / "killed", engine) as killed,
    ):
        crawl(replica, clean, "--no-measure")
        needed = sum(replica.counts().values())

        done = kill_and_crawl(replica, killed, "--no-measure", at=needed // 2)

        assert done.was_killed
        assert_same(dump_of_url(clean), dump_of_url(killed))
        listed = FLEET.repositories + 1
        assert done.requests - needed <= LIMIT * QUESTIONS_A_TAG + listed
