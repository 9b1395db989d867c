"""Updates of Docker official images in 2017, judged as they came.

On 9 September openjdk:jre went from Java 8 to 9 and so from 121 to 227 MB, and all that
is built on it followed in the days after. All other updates: tests/load.
"""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.database import a_database
from support.recorded_messages import Replayed, replay

SUMMER = datetime(2017, 7, 1, tzinfo=UTC)
EVE = datetime(2017, 9, 8, tzinfo=UTC)
MORROW = datetime(2017, 9, 12, tzinfo=UTC)
CHILDREN = frozenset({"convertigo", "jruby", "kaazing-gateway"})


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    folder: Path = tmp_path_factory.mktemp("recorded")
    with a_database(folder) as database:
        names = {"openjdk", *CHILDREN}
        return replay(database, names, since=SUMMER, until=MORROW)


def test_one_base_behind_four_repositories_is_told_of_twice(replayed: Replayed) -> None:
    causes = replayed.causes_of("openjdk", EVE, MORROW)
    (shared,) = (key for key in causes if replayed.repositories_with(key) >= CHILDREN)
    first, second = replayed.with_cause(shared)

    assert {item.repository for item in first} == {"openjdk"}
    assert {item.repository for item in second} <= CHILDREN
