"""Sizes of newest images as they are counted: those that are there, and known."""

from collections.abc import Mapping

import pytest
from sqlalchemy import update

from support.many_repositories import add_repositories, change, mark_gone
from support.store_world import T0
from weighbridge.domain.policy.simulation import NewestSize, SimulatedImage
from weighbridge.store.models import registries
from weighbridge.store.reports.inventory import (
    counts_above,
    heaviest_newest_images,
    newest_sizes,
    size_at_rank,
)
from weighbridge.store.session import Connection, Database

NAMES = ["shop/api", "shop/web", "shop/gone", "data/etl", "charts_1/x", "chartsx1/x"]


@pytest.fixture
def ids(database: Database) -> Mapping[str, int]:
    """Of 300, 200, (400, gone), 100, unknown and 50 bytes, another registry's 500, and
    700 in one that is not configured any more."""
    found = add_repositories(database, NAMES)
    for name, size in zip(NAMES, (300, 200, 400, 100, None, 50), strict=True):
        change(database, found[name], newest_compressed_bytes=size)
    change(database, found["data/etl"], newest_tag=None)
    mark_gone(database, [found["shop/gone"]], T0)
    other = add_repositories(database, ["shop/api"], "harbor")
    change(database, other["shop/api"], newest_compressed_bytes=500)
    old = add_repositories(database, ["shop/api"], "old")
    change(database, old["shop/api"], newest_compressed_bytes=700)
    with database.write() as connection:
        connection.execute(
            update(registries)
            .where(registries.c.name == "old")
            .values(state="unconfigured")
        )
    return found


def test_what_is_not_known_is_counted_apart_and_never_as_nothing(
    database: Database, ids: Mapping[str, int]
) -> None:
    with database.read() as connection:
        counts = counts_above(connection, [0, 100, 499, 500])

    assert (counts.repositories, counts.known, counts.unknown) == (6, 5, 1)
    assert counts.heaviest == 500
    assert counts.above == {0: 5, 100: 3, 499: 1, 500: 0}


def test_one_registry_is_counted_alone(
    database: Database, ids: Mapping[str, int]
) -> None:
    def of(connection: Connection, registry: str) -> tuple[int, int | None, int]:
        counts = counts_above(connection, [200], registry)
        return counts.repositories, counts.heaviest, counts.above[200]

    with database.read() as connection:
        assert of(connection, "hub") == (5, 300, 1)
        assert of(connection, "harbor") == (1, 500, 1)
        assert of(connection, "none") == (0, None, 0)
        assert size_at_rank(connection, 0, "hub") == 300


def test_a_rank_is_of_the_sizes_that_are_known(
    database: Database, ids: Mapping[str, int]
) -> None:
    with database.read() as connection:
        found = [size_at_rank(connection, rank) for rank in range(6)]

    assert found == [500, 300, 200, 100, 50, None]


def test_sizes_are_those_within_a_span_both_ends_included(
    database: Database, ids: Mapping[str, int]
) -> None:
    with database.read() as connection:
        found = sorted(newest_sizes(connection, [(100, 200), (301, 500)]))
        nothing = list(newest_sizes(connection, []))

    assert found == [
        NewestSize("harbor", "shop/api", "1.2.3", 500),
        NewestSize("hub", "data/etl", "", 100),
        NewestSize("hub", "shop/web", "1.2.3", 200),
    ]
    assert nothing == []


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["shop/*"], ["shop/api", "shop/web"]),
        (["*web", "data/etl"], ["data/etl", "shop/web"]),
        (["charts_1/*"], []),
        (["*%*"], []),
    ],
)
def test_patterns_are_taken_by_the_letter(
    database: Database,
    ids: Mapping[str, int],
    patterns: list[str],
    expected: list[str],
) -> None:
    with database.read() as connection:
        sizes = newest_sizes(connection, [(0, 900)], "hub", patterns)
        found = sorted(size.repository for size in sizes)

    assert found == expected


def test_the_heaviest_above_a_limit_come_first_and_are_so_many(
    database: Database, ids: Mapping[str, int]
) -> None:
    def names(images: list[SimulatedImage]) -> list[tuple[str, str]]:
        return [(image.registry, image.repository) for image in images]

    with database.read() as connection:
        every = heaviest_newest_images(connection, 100, None, 9)
        two = heaviest_newest_images(connection, 100, None, 2)
        of_one = heaviest_newest_images(connection, 200, "hub", 9)

    assert names(every) == [
        ("harbor", "shop/api"),
        ("hub", "shop/api"),
        ("hub", "shop/web"),
    ]
    assert two == every[:2]
    assert names(of_one) == [("hub", "shop/api")]
