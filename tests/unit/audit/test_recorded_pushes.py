"""Updates of Docker official images in September 2017, judged as they came.

On the 9th openjdk:jre went from Java 8 to 9 and so from 121 to 227 MB, and all that
is built on it followed in the days after. See tests/load for all updates.
"""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.database import a_database
from support.recorded_messages import Replayed, replay

SEPTEMBER = datetime(2017, 9, 1, tzinfo=UTC)
OCTOBER = datetime(2017, 10, 1, tzinfo=UTC)
CHILDREN = ("jruby", "kaazing-gateway", "lightstreamer", "convertigo", "logstash")


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    folder: Path = tmp_path_factory.mktemp("recorded")
    with a_database(folder) as database:
        return replay(database, ("openjdk", *CHILDREN), until=OCTOBER)


def test_one_base_behind_six_repositories_is_told_of_twice(replayed: Replayed) -> None:
    (cause,) = replayed.causes_of("openjdk", "jre", SEPTEMBER)
    told = replayed.with_cause(cause)

    assert len(told) == 2
    assert {item.repository for item in told[0]} == {"openjdk"}
