"""Updates in the form of the recorded ones, judged as they came.

As in 2017: on 9 September openjdk:jre went from Java 8 to 9 and so from 121 to 227 MB,
and all that is built on it followed in the days after. The recorded ones: tests/load.
"""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.database import a_database
from support.recorded_messages import Replayed, replay
from support.replica.pushes import written_looks

EVE = datetime(2017, 9, 8, tzinfo=UTC)
MORROW = datetime(2017, 9, 12, tzinfo=UTC)
CHILDREN = frozenset({"convertigo", "jruby", "kaazing-gateway"})


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    folder: Path = tmp_path_factory.mktemp("recorded")
    with a_database(folder) as database:
        return replay(database, written_looks())


def test_one_base_behind_four_repositories_is_told_of_twice(replayed: Replayed) -> None:
    causes = replayed.causes_of("openjdk", EVE, MORROW)
    (shared,) = (key for key in causes if replayed.repositories_with(key) >= CHILDREN)
    first, second = replayed.with_cause(shared)

    assert replayed.repositories_with(shared) == {"openjdk", *CHILDREN}
    assert {item.repository for item in first} == {"openjdk"}
    assert {item.repository for item in second} <= CHILDREN
