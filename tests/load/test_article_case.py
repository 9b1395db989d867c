"""`python:3.7-rc` of January 2018 beside its slim variants: what each weighs, what its
base is, and what the variants save it and what stands on it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import pytest

from support.replica.process import dataset_replica
from weighbridge.bootstrap.engine.assembly import crawl
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.domain.report.lighter import Lighter
from weighbridge.domain.size.weighing import WeighedImage
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.store.reports.lighter import find_lighter
from weighbridge.store.reports.repository_savings import repositories_by_saving
from weighbridge.store.reports.weighings import find_weighing
from weighbridge.store.session import Connection, open_database

SET: Final = "repo-info-2018"
BASES: Final = ("debian", "alpine", "buildpack-deps", "python", "openjdk")
OTHERS: Final = ("tomcat", "nuxeo")
NOW: Final = datetime(2026, 12, 3, tzinfo=UTC)
MB: Final = 1_000_000


@pytest.fixture(scope="module")
def connection(
    database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Connection]:
    """After one crawl of seven repositories, of which five are bases."""
    path = tmp_path_factory.mktemp("article") / "weighbridge.yaml"
    only = [f"{SET}/{name}" for name in (*BASES, *OTHERS)]
    with dataset_replica(only) as replica:
        path.write_text(
            "registries:\n"
            f"  - {{name: r, url: 'http://{replica.address}', mirror_of: docker.io}}\n"
            "bases:\n"
            f"  repositories: [{', '.join(f'{SET}/{name}' for name in BASES)}]\n",
            encoding="utf-8",
        )
        settings = load_settings(str(path), {}, KINDS, database_url=database_url)
        done = crawl(settings, ["r"], measure=False, progress=Progress())
        assert done.registries[0].faults == ()
    database = open_database(database_url)
    try:
        with database.read() as opened:
            yield opened
    finally:
        database.close()


def looked_up(
    connection: Connection, repository: str, tag: str
) -> tuple[WeighedImage, Lighter]:
    weighing = find_weighing(connection, "r", f"{SET}/{repository}", tag=tag, now=NOW)
    assert weighing is not None
    (image,) = weighing.images
    (lighter,) = find_lighter(connection, weighing, NOW)
    return image, lighter


def saved(lighter: Lighter) -> dict[str, float]:
    """By variant, in MB."""
    assert lighter.savings is not None
    return {
        s.variant.reference.removeprefix(f"{SET}/"): round(s.saved_bytes / MB, 1)
        for s in lighter.savings
    }


def test_the_three_of_2018_weigh_what_was_recorded(connection: Connection) -> None:
    weights = [
        round(looked_up(connection, "python", tag)[0].compressed_bytes / MB, 1)
        for tag in ("3.7-rc", "3.7-rc-slim", "3.7-rc-alpine")
    ]

    assert weights == [350.6, 50.0, 31.1]


def test_its_base_is_most_of_it(connection: Connection) -> None:
    image, _ = looked_up(connection, "python", "3.7-rc")

    assert image.base is not None
    assert image.base.reference == f"{SET}/buildpack-deps:stretch"
    assert (image.base.relation, image.base.found_by) == ("base", "layers")
    assert image.base.share is not None
    assert round(image.base.share, 2) == 0.92


def test_each_variant_saves_whoever_starts_from_it(connection: Connection) -> None:
    _, lighter = looked_up(connection, "python", "3.7-rc")

    assert saved(lighter) == {
        "python:3.7-rc-alpine": 319.6,
        "python:3.7-rc-slim": 300.6,
    }
    assert lighter.savings is not None
    assert lighter.savings[1].patch == (
        f"-FROM {SET}/python:3.7-rc\n+FROM {SET}/python:3.7-rc-slim"
    )


def test_an_image_on_a_base_keeps_its_own_layers(connection: Connection) -> None:
    image, lighter = looked_up(connection, "tomcat", "8.5")

    assert image.base is not None
    assert image.base.reference == f"{SET}/openjdk:8-jre"
    assert saved(lighter) == {
        "openjdk:8-jre-alpine": 170.6,
        "openjdk:8-jre-slim": 147.9,
    }
    for saving in lighter.savings or ():
        assert 0 < saving.saved_bytes <= (image.base.compressed_bytes or 0)
        assert saving.fleet is not None
        assert saving.fleet.images >= 1
        # openjdk itself is in this registry: none of its layers would leave it.
        assert saving.fleet.stored_bytes == 0


def test_what_repositories_would_save_is_each_counted_once(
    connection: Connection,
) -> None:
    report = repositories_by_saving(connection, limit=100)

    assert report.repositories == len(report.rows) > 0
    assert report.saved_bytes == sum(row.saved_bytes for row in report.rows)
    for row in report.rows:
        assert 0 < row.saved_bytes <= (row.newest_compressed_bytes or 0)


def test_files_that_were_stored_twice_are_found(connection: Connection) -> None:
    """385.2 MB of nuxeo:9, by a chown behind the line that unpacked them."""
    _, lighter = looked_up(connection, "nuxeo", "9")

    assert [(a.kind, a.saved_bytes, a.is_estimate) for a in lighter.advice] == [
        ("written_twice", 385_160_325, False)
    ]
