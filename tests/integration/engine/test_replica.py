"""Crawls of replica registries, held against what brute force counts."""

from pathlib import Path

import pytest

from support.replica.brute_force import count_by_brute_force
from support.replica.changes import Change
from support.replica.dataset import DatasetContent
from support.replica.fleet import Fleet
from support.replica.fleet_totals import fleet_totals
from support.replica.million import FleetContent
from support.replica.process import Replica, fleet_replica, written_replica
from support.replica.records import written
from support.replica.stored import Counted, counted
from support.replica.totals import RegistryTotals
from weighbridge.bootstrap.engine.assembly import crawl
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl

FLEET = Fleet(repositories=20, tags=1_000, largest=300, copy_every=5)


def database_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'weighbridge.db'}"


def crawled(replica: Replica, folder: Path, *, measure: bool = False) -> RegistryCrawl:
    settings = load_settings(None, {}, KINDS, database_url=database_url(folder))
    report = crawl(settings, [replica.address], measure=measure, progress=Progress())
    return report.registries[0]


def expected_rows(totals: RegistryTotals) -> dict[str, Counted]:
    return {
        name: Counted(r.tags, r.images, r.referenced_bytes, r.weighed_bytes)
        for name, r in totals.repositories.items()
    }


def test_images_with_all_that_is_odd_are_crawled_without_a_fault(
    tmp_path: Path,
) -> None:
    """The 5,007 recorded ones, of which these have the oddities: tests/load."""
    expected = count_by_brute_force(DatasetContent(written()))

    with written_replica() as replica:
        done = crawled(replica, tmp_path)
        asked = replica.counts()

    assert (done.state, done.faults) == ("ok", ())
    assert done.complete == len(expected.repositories) == 9
    assert (done.tags, done.images) == (expected.tags, expected.images)
    assert done.weighed_bytes == expected.weighed_bytes
    assert counted(database_url(tmp_path)) == expected_rows(expected)
    assert done.requests == sum(asked.values())


def test_a_small_fleet_counts_what_arithmetic_and_brute_force_count(
    tmp_path: Path,
) -> None:
    expected = count_by_brute_force(FleetContent(FLEET))

    with fleet_replica(FLEET) as replica:
        done = crawled(replica, tmp_path)

    assert fleet_totals(FLEET) == expected
    assert (done.state, done.faults) == ("ok", ())
    assert (done.tags, done.images) == (1_000, expected.images)
    assert done.weighed_bytes == expected.weighed_bytes
    assert counted(database_url(tmp_path)) == expected_rows(expected)


def test_measuring_a_replica_ends_and_pulls_no_layer(tmp_path: Path) -> None:
    with fleet_replica(Fleet(repositories=2, tags=20, largest=15)) as replica:
        done = crawled(replica, tmp_path, measure=True)
        asked = replica.counts()

    assert done.faults == ()
    assert asked["get_range"] > 0
    assert "get_layer" not in asked


def test_a_second_crawl_sees_what_was_changed_meanwhile(tmp_path: Path) -> None:
    with fleet_replica(Fleet(repositories=2, tags=20, largest=15)) as replica:
        first = crawled(replica, tmp_path)
        replica.change(
            Change("team000/app00000", "build-0000000", like="build-0000001"),
            Change("team000/app00000", "new", like="build-0000002"),
            Change("team000/app00001", "build-0000000"),
        )
        replica.reset_counts()
        second = crawled(replica, tmp_path)

    assert (first.tags, second.tags) == (20, 20)
    rows = counted(database_url(tmp_path))
    assert {name: row.tags for name, row in rows.items()} == {
        "team000/app00000": 16,
        "team000/app00001": 4,
    }


@pytest.mark.parametrize(
    "fleet",
    [
        Fleet(1, 7, 7),
        Fleet(3, 10, 2, tags_per_image=3),
        Fleet(7, 997, 300, tags_per_image=2, bases=3, copy_every=0),
        Fleet(30, 1_500, 500, tags_per_image=1, bases=40, copy_every=2),
    ],
)
def test_arithmetic_and_brute_force_agree_on_any_fleet(fleet: Fleet) -> None:
    content = FleetContent(fleet)
    listed = [
        tag for name in content.repositories() for tag in content.tags(name) or ()
    ]

    assert len(listed) == fleet.tags
    assert fleet_totals(fleet) == count_by_brute_force(content)
