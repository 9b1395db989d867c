"""Series of bases: those that most stands on, within the budget."""

import re

import pytest
from starlette.testclient import TestClient

from support.known_bases import KnownBases, a_fleet_on_bases
from support.read_model import NOW
from support.web_app import create_app
from weighbridge.domain.series_budget import BASE_SERIES, Budget, bases_shown, ladder
from weighbridge.store.read_model.base_summaries import refresh_base_summaries
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions


def scraped(database: Database, budget: Budget) -> str:
    options = WebOptions(budget=budget)
    app = create_app(database, Telemetry(), options, now=lambda: NOW)
    client = TestClient(app, base_url="http://127.0.0.1:8080")
    return client.get("/metrics/repositories").text


def of_bases(text: str) -> dict[tuple[str, str], int]:
    """By the end of their name and their base."""
    found = re.findall(
        r'^weighbridge_base_image_(\w+)\{base_image="(.*)"\} (\d+)$', text, re.M
    )
    return {(name, base): int(value) for name, base, value in found}


@pytest.fixture
def known(database: Database) -> KnownBases:
    return a_fleet_on_bases(database)


def test_a_crawled_base_has_its_numbers_and_one_that_is_not_has_none(
    known: KnownBases,
) -> None:
    assert of_bases(scraped(known.database, Budget())) == {
        ("repositories", "library/python:3.7"): 2,
        ("outdated_repositories", "library/python:3.7"): 1,
        ("bytes", "library/python:3.7"): 920_000_000,
        ("own_bytes", "library/python:3.7"): 1_200_000_000,
        ("repositories", "library/alpine:3.9"): 1,
        ("outdated_repositories", "library/alpine:3.9"): 0,
        ("bytes", "library/alpine:3.9"): 4_000_000,
        ("own_bytes", "library/alpine:3.9"): 8_000_000,
    }


def test_only_those_that_most_stands_on_are_shown(known: KnownBases) -> None:
    found = of_bases(scraped(known.database, Budget(max_base_images=1)))

    assert {base for _, base in found} == {"library/python:3.7"}
    assert of_bases(scraped(known.database, Budget(max_base_images=0))) == {}


def test_bases_never_take_more_than_a_tenth_of_the_budget() -> None:
    for most in (100, 1_000, 20_000):
        shown = bases_shown(Budget(most, max_base_images=1_000), 1)

        assert shown * BASE_SERIES <= most // 10
    assert bases_shown(Budget(), 1) == 50
    assert bases_shown(Budget(100), 50) == 0


def test_what_bases_take_is_not_left_for_repositories() -> None:
    without = ladder(Budget(1_000), 1, 1)

    assert ladder(Budget(1_000), 1, 1, bases=20).most < without.most


def test_a_base_is_no_part_of_a_registry(known: KnownBases) -> None:
    app = create_app(known.database, Telemetry(), WebOptions(), now=lambda: NOW)
    client = TestClient(app, base_url="http://127.0.0.1:8080")

    assert of_bases(client.get("/metrics/repositories?registry=hub").text) == {}


def test_what_is_counted_again_is_in_the_next_snapshot(known: KnownBases) -> None:
    now = [0.0]
    app = create_app(
        known.database,
        Telemetry(),
        WebOptions(),
        now=lambda: NOW,
        clock=lambda: now[0],
    )
    client = TestClient(app, base_url="http://127.0.0.1:8080")
    before = of_bases(client.get("/metrics/repositories").text)
    known.base("debian", "library/debian:9")
    with known.database.read() as connection:
        raw = connection.exec_driver_sql(
            "SELECT lower(hex(digest)) FROM blobs JOIN images ON images.id = blobs.id"
            " WHERE images.id NOT IN (SELECT image_id FROM image_bases)"
        ).scalar_one()
    known.stands_on(f"sha256:{raw}", "debian")  # type: ignore[arg-type] # a digest
    refresh_base_summaries(known.database, NOW)
    now[0] += 60

    after = of_bases(client.get("/metrics/repositories").text)

    assert after.keys() - before.keys() == {
        (name, "library/debian:9")
        for name in ("repositories", "outdated_repositories", "bytes", "own_bytes")
    }
