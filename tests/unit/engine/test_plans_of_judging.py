"""What is asked of many repositories is found by indexes, however many there are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import insert, update

from support.database import Engine, a_database
from support.large_inventory import NOW, fill
from support.plans import asked_by, read_whole
from support.policies import a_policy
from weighbridge.domain.policy.policy import PolicySet
from weighbridge.engine.judge.judge import end_first_crawls, refresh_and_judge
from weighbridge.engine.judge.judged_batch import Judging
from weighbridge.store.models import repository_summaries, unjudged
from weighbridge.store.session import Connection, Database

pytestmark = pytest.mark.slow

COUNT: Final = 20_000
SOME: Final = range(100, 164)
POLICY: Final = a_policy(
    "all", max_compressed=900, max_growth=0.25, max_deduplicated=50
)
TABLES: Final = (
    "repositories",
    "repository_summaries",
    "tags",
    "blobs",
    "images",
    "repository_manifests",
)


@pytest.fixture
def database(tmp_path: Path, engine: Engine) -> Iterator[Database]:
    with a_database(tmp_path, engine) as opened:
        fill(opened, COUNT)
        yield opened


def test_no_table_of_the_inventory_is_read_from_end_to_end(database: Database) -> None:
    judging = Judging(PolicySet([POLICY]))

    def judge(connection: Connection) -> None:
        connection.execute(
            update(repository_summaries)
            .where(repository_summaries.c.repository_id.in_(SOME))
            .values(is_stale=True)
        )
        rows = [(number, number, False, False) for number in SOME]
        connection.execute(insert(unjudged).values(rows))
        refresh_and_judge(connection, list(SOME), NOW, judging)
        end_first_crawls(connection, list(SOME), NOW, judging)

    asked = asked_by(database, judge)

    assert any("violations" in one.statement for one in asked)
    assert read_whole(asked, TABLES) == []
